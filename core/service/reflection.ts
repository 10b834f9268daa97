import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { service as healthService } from "grpc-health-check";
import { FILE_DESCRIPTORS } from "../../proto/gen/descriptors.js";

/**
 * Adds server reflection (v1 and v1alpha), so that grpcurl needs no proto files.
 *
 * @param names Full names of the services that this server has, of all those that the descriptors know.
 */
export function addReflection(server: Server, names: readonly string[]): void {
  const health = healthService.Check!.requestType; // One message of a file stands for the whole file.
  const contracts = { ...health, fileDescriptorProtos: FILE_DESCRIPTORS.map((text) => Buffer.from(text, "base64")) };
  const services = [...names, "grpc.health.v1.Health"];
  new ReflectionService({ contracts, health }, { services }).addToServer(server);
}
