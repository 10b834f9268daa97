import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { FILE_DESCRIPTORS } from "../../proto/gen/descriptors.js";

/**
 * Adds server reflection (v1 and v1alpha), so that grpcurl needs no proto files.
 *
 * @param names Full names of the services that this server has, of all those that the descriptors know.
 */
export function addReflection(server: Server, names: readonly string[]): void {
  // The library looks at the descriptors alone; any kind of entry may carry them.
  const contracts = {
    format: "Protocol Buffer 3 EnumDescriptorProto" as const,
    type: {},
    fileDescriptorProtos: FILE_DESCRIPTORS.map((text) => Buffer.from(text, "base64")),
  };
  new ReflectionService({ contracts }, { services: [...names, "grpc.health.v1.Health"] }).addToServer(server);
}
