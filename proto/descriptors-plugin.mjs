import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** A protoc plugin: writes every file's descriptor, comments included, as base64 into `descriptors.ts` for server reflection. */
const request = fromBinary(CodeGeneratorRequestSchema, readFileSync(0));
const files = request.protoFile.map(
  (file) => `  "${Buffer.from(toBinary(FileDescriptorProtoSchema, file)).toString("base64")}", // ${file.name}`,
);
const content = [
  "/** Serialised google.protobuf.FileDescriptorProto of every contract file, base64, dependencies first. Generated. */",
  "export const FILE_DESCRIPTORS: readonly string[] = [",
  ...files,
  "];",
  "",
].join("\n");
const response = create(CodeGeneratorResponseSchema, {
  supportedFeatures: BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL),
  file: [{ name: "descriptors.ts", content }],
});
process.stdout.write(toBinary(CodeGeneratorResponseSchema, response));
