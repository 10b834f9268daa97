import { once } from "node:events";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata } from "@grpc/grpc-js";

/** A method as a server tells of it. */
export interface ReflectedMethod {
  /** As `/spin.v1.TrainerService/GetRun`. */
  readonly path: string;
  readonly isStream: boolean;
  /** Full name of the request's message, as `spin.v1.GetRunRequest`. */
  readonly requestType: string;
}

/** What a server serves, asked of itself: its services, health and reflection apart, with the files that describe them. */
export async function reflect(
  address: string,
  token: string,
): Promise<{ methods: ReflectedMethod[]; files: FileDescriptorProto[] }> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const ask = async (field: number, text: string): Promise<Buffer> => {
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const call = client.makeBidiStreamRequest(path, asIs, asIs, metadata);
    call.write(Buffer.from(new BinaryWriter().tag(field, 2).string(text).finish()));
    const [answer] = (await once(call, "data")) as [Buffer];
    call.end();
    return answer;
  };
  try {
    const listed = fields(fields(await ask(7, "*"), 6)[0]!, 1).map((service) => fields(service, 1)[0]!.toString());
    const methods: ReflectedMethod[] = [];
    const files = new Map<string, FileDescriptorProto>();
    for (const service of listed.filter((name) => !name.startsWith("grpc."))) {
      const found = fields(fields(await ask(4, service), 4)[0]!, 1).map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      for (const file of found) files.set(file.name, file);
      for (const file of found) {
        for (const { name, method } of file.service) {
          if (`${file.package}.${name}` !== service) continue;
          for (const { name: rpc, serverStreaming, inputType } of method) {
            methods.push({ path: `/${service}/${rpc}`, isStream: serverStreaming, requestType: inputType.slice(1) });
          }
        }
      }
    }
    return { methods, files: [...files.values()] };
  } finally {
    client.close();
  }
}

/** A connection for {@link callRaw}. */
export function rawClient(address: string): Client {
  return new Client(address, credentials.createInsecure());
}

/** Calls any method with bytes, and gives the status that it ends with; what it answers is thrown away. */
export function callRaw(
  client: Client,
  { path, isStream }: Pick<ReflectedMethod, "path" | "isStream">,
  headers: readonly string[],
  request: Buffer = Buffer.alloc(0),
): Promise<{ code: number; details: string; metadata: Metadata }> {
  const metadata = new Metadata();
  for (const header of headers) metadata.add("authorization", header);
  const deadline = Date.now() + 10_000;
  return new Promise((resolve) => {
    if (!isStream) {
      client.makeUnaryRequest(path, asIs, asIs, request, metadata, { deadline }, () => undefined).on("status", resolve);
      return;
    }
    const call = client.makeServerStreamRequest(path, asIs, asIs, request, metadata, { deadline });
    call.on("error", () => undefined);
    call.on("data", () => undefined);
    call.on("status", resolve);
  });
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** All length-delimited values of a field in a serialised message. */
export function fields(message: Buffer, number: number): Buffer[] {
  const reader = new BinaryReader(message);
  const found: Buffer[] = [];
  while (reader.pos < reader.len) {
    const [id, wireType] = reader.tag();
    if (id === number && wireType === 2) found.push(Buffer.from(reader.bytes()));
    else reader.skip(wireType);
  }
  return found;
}
