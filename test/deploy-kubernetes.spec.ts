import { join } from "node:path";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { CALLER_SETTINGS, DOOR_SETTINGS } from "../core/service/doors/settings.js";
import { MEASURES, type MeasureName, prometheusNames } from "../core/service/metrics.js";
import { EVALUATOR_SETTINGS } from "../evaluator/config.js";
import { GENERATOR_SETTINGS } from "../generator/config.js";
import { TRAINER_SETTINGS } from "../trainer/config.js";
import { type Manifest, renderKustomization } from "./support/kustomize.js";

const MODELS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  Deployment,
  StatefulSet,
  HorizontalPodAutoscaler,
  NetworkPolicy,
  PodDisruptionBudget,
  Namespace,
  Service,
  ServiceAccount,
};

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits?: Record<string, unknown>; readonly requests?: Record<string, unknown> };
  readonly securityContext: Record<string, unknown>;
  readonly startupProbe?: Record<string, unknown>;
  readonly readinessProbe?: Record<string, unknown>;
  readonly livenessProbe?: Record<string, unknown>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Record<string, unknown>;
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

const render = (name: string) => renderKustomization(join(import.meta.dirname, "../deploy/kubernetes", name));
const podOf = (manifest: Manifest) => (manifest.spec as { template: { spec: PodSpec } }).template.spec;
const isWorkload = ({ kind }: Manifest) => kind === "Deployment" || kind === "StatefulSet";
const named = (manifests: readonly Manifest[], kind: string) =>
  manifests.filter((one) => one.kind === kind).map((one) => one.metadata.name);

describe.each(["base", "gpu"])("deploy/kubernetes/%s", (overlay) => {
  let manifests: Manifest[];
  beforeAll(async () => {
    manifests = await render(overlay);
  });

  it("has objects that the schemas of their kinds accept", () => {
    for (const manifest of manifests) {
      const Model = MODELS[manifest.kind]!;
      expect(() => new Model(manifest as never).validate()).not.toThrow();
    }
    const broken = structuredClone(manifests.find(isWorkload)!) as unknown as {
      spec: { template: { spec: { containers: unknown } } };
    };
    broken.spec.template.spec.containers = "none";
    expect(() => new Deployment(broken as never).validate()).toThrow();
  });

  it("has generators behind a headless service with an autoscaler, trainer and evaluator with volumes, and a budget for each", () => {
    expect(named(manifests, "Deployment")).toEqual(["generator"]);
    expect(named(manifests, "StatefulSet")).toEqual(["trainer", "evaluator"]);
    expect(named(manifests, "PodDisruptionBudget").sort()).toEqual(["evaluator", "generator", "trainer"]);
    const service = manifests.find((one) => one.kind === "Service" && one.metadata.name === "generator")!;
    expect(service.spec).toMatchObject({ clusterIP: "None" });
    for (const one of manifests.filter(({ kind }) => kind === "StatefulSet"))
      expect(one.spec).toMatchObject({ replicas: 1, volumeClaimTemplates: [expect.anything()] });
  });

  it("scales by a measure that generators emit", () => {
    const [scaler] = manifests.filter(({ kind }) => kind === "HorizontalPodAutoscaler");
    const { metrics } = scaler!.spec as { metrics: { type: string; pods?: { metric: { name: string } } }[] };
    const known = (Object.keys(MEASURES) as MeasureName[]).flatMap(prometheusNames);
    expect(known).toContain(metrics.find(({ type }) => type === "Pods")!.pods!.metric.name);
  });

  it("lets no pod be root, write its file system, gain privileges or hold a token of the cluster", () => {
    for (const manifest of manifests.filter(isWorkload)) {
      const pod = podOf(manifest);
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: "RuntimeDefault" } },
      });
      for (const container of [...pod.containers, ...pod.initContainers]) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.limits).toHaveProperty("memory");
        expect(container.resources.requests).toHaveProperty("cpu");
        expect(container.image).toMatch(/^registry\.example\.org\/spin-diffusion:1/);
        const volumes = [...pod.volumes.map(({ name }) => name), "runs", "evaluations"];
        for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
      }
    }
  });

  it("gives every service TLS, tokens and settings that it knows, and probes of its health", () => {
    const settings = {
      generator: GENERATOR_SETTINGS,
      trainer: TRAINER_SETTINGS,
      evaluator: EVALUATOR_SETTINGS,
    } as const;
    for (const manifest of manifests.filter(isWorkload)) {
      const [container] = podOf(manifest).containers;
      const variables = new Set(
        Object.values(settings[container!.name as keyof typeof settings]).map(({ variable }) => variable),
      );
      const given = container!.env!.map(({ name }) => name);
      for (const name of given) expect([...variables, "OTEL_EXPORTER_OTLP_ENDPOINT"]).toContain(name);
      const { serverCert, serverKey, tokensFile } = DOOR_SETTINGS;
      for (const { variable } of [serverCert, serverKey, tokensFile, CALLER_SETTINGS.tlsCa, CALLER_SETTINGS.tokenFile])
        expect(given).toContain(variable);
      expect(given).not.toContain("INSECURE");
      const health = Number(container!.env!.find(({ name }) => name === "HEALTH_PORT")!.value);
      expect(container!.startupProbe).toMatchObject({ grpc: { port: health } });
      expect(container!.readinessProbe).toMatchObject({ grpc: { port: health } });
      expect(container!.livenessProbe).toBeDefined();
    }
  });

  it("lets nothing in or out but what a policy names", () => {
    const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy");
    expect(policies.map(({ metadata }) => metadata.name)).toEqual(["nothing", "generator", "trainer", "evaluator"]);
    expect(policies[0]!.spec).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    for (const { spec } of policies.slice(1))
      expect(spec).toMatchObject({ policyTypes: ["Ingress", "Egress"], ingress: [{ ports: [{ port: "grpc" }] }] });
  });
});

test("on GPUs each pod asks for one, and computes on it", async () => {
  for (const manifest of (await render("gpu")).filter(isWorkload)) {
    const [container] = podOf(manifest).containers;
    expect(container!.resources.limits).toMatchObject({ "nvidia.com/gpu": "1" });
    expect(container!.env).toContainEqual({ name: "DEVICE", value: "cuda" });
    expect(container!.image).toBe("registry.example.org/spin-diffusion:1-cuda");
  }
});
