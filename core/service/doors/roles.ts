import { CheckpointServiceService } from "../../../proto/gen/spin/v1/checkpoint_service.js";
import { EvaluatorServiceService } from "../../../proto/gen/spin/v1/evaluator_service.js";
import { GeneratorServiceService } from "../../../proto/gen/spin/v1/generator_service.js";
import { TrainerServiceService } from "../../../proto/gen/spin/v1/trainer_service.js";
import type { Method } from "../method.js";

/** What a caller may do; each role may also do what those before it may. */
export const ROLES = ["read", "run", "admin"] as const;
/** `read`: look at runs, evaluations, checkpoints. `run`: have work done, and stop it. `admin`: everything. */
export type Role = (typeof ROLES)[number];

/** What a method asks of its caller; `public`: nothing, not even a token. */
export type Access = Role | "public";

/** Every method of a contract with the role that it asks for: an RPC without a row does not compile. */
type AccessOf<Contract> = { readonly [Name in keyof Contract]: Role };

function rows<Contract extends object>(contract: Contract, access: AccessOf<Contract>): [string, Access][] {
  return Object.entries(contract as Record<string, Method<unknown, unknown>>).map(([name, { path }]) => [
    path,
    access[name as keyof Contract],
  ]);
}

/** The one table of who may call what, by path, as `/spin.v1.TrainerService/GetRun`. A path that is not here is for nobody. */
export const ACCESS: ReadonlyMap<string, Access> = new Map([
  ...rows(GeneratorServiceService, {
    sampleTrajectories: "run",
    renderImages: "run",
    getGenerator: "read",
  }),
  ...rows(TrainerServiceService, {
    createRun: "run",
    startIteration: "run",
    watchIteration: "read",
    cancelIteration: "run",
    getIteration: "read",
    getRun: "read",
    listRuns: "read",
  }),
  ...rows(CheckpointServiceService, {
    listCheckpoints: "read",
    getCheckpoint: "read",
    readFile: "read",
  }),
  ...rows(EvaluatorServiceService, {
    startEvaluation: "run",
    watchEvaluation: "read",
    cancelEvaluation: "run",
    getEvaluation: "read",
    listEvaluations: "read",
    compare: "read",
    getTable: "read",
    getReport: "read",
  }),
  // Probes carry no token, and learn one bit.
  ["/grpc.health.v1.Health/Check", "public"],
  ["/grpc.health.v1.Health/Watch", "read"],
  ["/grpc.health.v1.Health/List", "read"],
  ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "read"],
  ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "read"],
]);

/** Whether a role is enough for what a method asks. */
export function allows(role: Role, needed: Access): boolean {
  return needed === "public" || ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
