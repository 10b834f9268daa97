import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Registry,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMap, type ReflectMessage, reflect as reflectMessage } from "@bufbuild/protobuf/reflect";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type Client, status } from "@grpc/grpc-js";
import { VALID_REQUESTS } from "../../bench/fuzz/valid-requests.js";
import { unpackDetails } from "../../core/service/error-details.js";
import { FILE_DESCRIPTORS } from "../../proto/gen/descriptors.js";
import { type AllServices, startAllServices } from "../support/all-services.js";
import { callRaw, type ReflectedMethod, rawClient, reflect } from "../support/reflection.js";
import { useSharedFolder } from "../support/temporary-folder.js";
import { FIELDS, type FieldKind, HOSTILE_NUMBERS, HOSTILE_TEXTS, SHOWN, UNBOUNDED_LISTS } from "./fields.js";

/** Walks every field of every request of running services. A field or method that somebody adds is walked too, and asks for a row. */

/** Entries of a list that no list may have. */
const LONG = 10_001;

const folder = useSharedFolder();
let services: AllServices;
let walked: (ReflectedMethod & { readonly client: Client; readonly type: DescMessage })[];

beforeAll(async () => {
  services = await startAllServices(folder(), {});
  walked = [];
  for (const address of Object.values(services.addresses)) {
    const { methods, files } = await reflect(address, "");
    const registry = registryOf(files);
    const client = rawClient(address);
    for (const method of methods) walked.push({ ...method, client, type: registry.getMessage(method.requestType)! });
  }
}, 60_000);
afterAll(async () => {
  for (const { client } of walked) client.close();
  await services.stop();
});

/** What a server tells of its files, in the order that imports ask for; reflection leaves out what a file's imports import. */
function registryOf(reflected: readonly FileDescriptorProto[]): Registry {
  const told = new Map(reflected.map((file) => [file.name, file]));
  const ours = FILE_DESCRIPTORS.map((text) => fromBinary(FileDescriptorProtoSchema, Buffer.from(text, "base64")));
  const file = ours.map((one) => told.get(one.name) ?? one);
  return createFileRegistry(create(FileDescriptorSetSchema, { file }));
}

/** Name of a message without the package, as the table has it. */
const nameOf = (field: DescField) => field.parent.typeName.replace(/^spin\.v1\./, "");

/** A field of a request with one hostile value in it. */
interface Attack {
  readonly field: string;
  readonly value: string;
  readonly request: Uint8Array;
}

const isShown = (field: DescField) => SHOWN.has(`${nameOf(field)}.${field.name}`);

/** Every hostile value in every field that the request sets or could set, one at a time. */
function* attacks(type: DescMessage, valid: Uint8Array, seen: Set<string>): Generator<Attack> {
  const root = () => reflectMessage(type, fromBinary(type, valid));
  for (const { path, field, at } of places(root(), "")) {
    seen.add(`${nameOf(field)}.${field.name}`);
    for (const { value, isList } of hostileValues(field)) {
      const message = root();
      const holder = at(message);
      if (isList) {
        const list = holder.get(field as DescField & { fieldKind: "list" });
        const first = list.get(0);
        for (let i = list.size; i < LONG; i++) list.add(first);
      } else if (field.fieldKind === "list") holder.get(field).set(0, value as never);
      else if (field.fieldKind === "map") holder.get(field).set(firstKey(holder.get(field)), value as never);
      else holder.set(field, value as never);
      const isElement = field.fieldKind === "list" && !isList;
      const shown = isList ? `${LONG} entries` : String(value).slice(0, 40);
      const key = field.fieldKind === "map" ? `.${firstKey(holder.get(field))}` : "";
      yield {
        field: isElement ? `${path}[0]` : `${path}${key}`,
        value: shown,
        request: toBinary(type, message.message),
      };
    }
  }
}

const firstKey = (map: ReflectMap) => [...map.keys()][0] as string;

interface Place {
  /** As errors name it: `spec.sampling.num_steps`, `items[0].prompt`. */
  readonly path: string;
  readonly field: DescField;
  /** The message that holds the field, in another copy of the request. */
  readonly at: (root: ReflectMessage) => ReflectMessage;
}

function* places(message: ReflectMessage, prefix: string, at: Place["at"] = (root) => root): Generator<Place> {
  for (const field of message.fields) {
    const path = `${prefix}${field.name}`;
    if (field.oneof !== undefined && !message.isSet(field)) continue; // Another request has that case.
    if (field.fieldKind === "message") {
      if (message.isSet(field) && !isShown(field))
        yield* places(message.get(field), `${path}.`, (root) => at(root).get(field));
    } else if (field.fieldKind === "list") {
      if (message.get(field).size === 0) continue;
      yield { path, field, at };
      if (field.listKind !== "message" || isShown(field)) continue;
      const inner = (root: ReflectMessage) => at(root).get(field).get(0) as ReflectMessage;
      yield* places(message.get(field).get(0) as ReflectMessage, `${path}[0].`, inner);
    } else yield { path, field, at };
  }
}

function* hostileValues(field: DescField): Generator<{ value?: unknown; isList?: boolean }> {
  if (field.fieldKind === "list" && !UNBOUNDED_LISTS.has(`${nameOf(field)}.${field.name}`)) yield { isList: true };
  if (field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum")) yield { value: 9999 };
  const scalar =
    field.fieldKind === "scalar" ||
    (field.fieldKind === "list" && field.listKind === "scalar") ||
    (field.fieldKind === "map" && field.mapKind === "scalar")
      ? field.scalar
      : undefined;
  if (scalar === undefined || scalar === ScalarType.BOOL) return;
  const kind = kindOf(field);
  if (kind === "any") return;
  if (kind !== "size") for (const value of HOSTILE_TEXTS[kind]) yield { value };
  else for (const value of HOSTILE_NUMBERS[numberType(scalar)]) yield { value };
}

function kindOf(field: DescField): FieldKind {
  const kind = FIELDS[nameOf(field)]?.[field.name];
  if (kind !== undefined) return kind;
  throw new Error(
    `${nameOf(field)}.${field.name} is a field of a request: say in FIELDS of test/doors/fields.ts what kind it is, and check it in the service's requests.ts`,
  );
}

function numberType(scalar: ScalarType): keyof typeof HOSTILE_NUMBERS {
  if (scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT) return "float";
  return [ScalarType.UINT64, ScalarType.INT64, ScalarType.FIXED64].includes(scalar) ? "long" : "integer";
}

/** Every file below the services' folder, with its content. */
async function everything(below: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(below, { recursive: true })).sort()) {
    const path = join(below, name);
    const isFile = (await stat(path)).isFile();
    found[name] = isFile
      ? createHash("sha256")
          .update(await readFile(path))
          .digest("hex")
      : "folder";
  }
  return found;
}

it("valid requests are taken, and set every field that a request can have", async () => {
  const failures: string[] = [];
  const seen = new Set<string>();
  const needed = new Set<string>();
  for (const { path, type, client, isStream } of walked) {
    const valid = VALID_REQUESTS[path];
    if (valid === undefined) {
      failures.push(
        `${path} is new: add valid requests for it to bench/fuzz/valid-requests.ts, and a role to core/service/doors/roles.ts`,
      );
      continue;
    }
    collect(type, needed);
    for (const request of valid) {
      for (const _ of attacks(type, request, seen)); // Throws where a field has no kind.
      const { code, details } = await callRaw(client, { path, isStream }, [], Buffer.from(request));
      if (code === status.INVALID_ARGUMENT || code === status.INTERNAL)
        failures.push(`${path}: ${status[code]} ${details}`);
    }
  }
  for (const field of needed) {
    if (!seen.has(field))
      failures.push(`${field} is set by no request in bench/fuzz/valid-requests.ts: set it there to a valid value`);
  }
  const unknown = Object.entries(FIELDS)
    .flatMap(([message, fields]) => Object.keys(fields).map((field) => `${message}.${field}`))
    .filter((field) => !needed.has(field));
  expect({ failures, unknown }).toEqual({ failures: [], unknown: [] });
}, 120_000);

/** Fields of a message and of those within it that hold something themselves. */
function collect(type: DescMessage, into: Set<string>): void {
  for (const field of type.fields) {
    const inner =
      field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")
        ? field.message
        : undefined;
    if (isShown(field)) continue;
    if (inner === undefined || field.fieldKind === "list") into.add(`${nameOf(field)}.${field.name}`);
    if (inner !== undefined) collect(inner, into);
  }
}

it("every hostile value is INVALID_ARGUMENT that names its field, and nothing is touched on disk", async () => {
  const before = await everything(folder());
  const failures: string[] = [];
  let count = 0;
  for (const { path, type, client, isStream } of walked) {
    for (const valid of VALID_REQUESTS[path] ?? []) {
      for (const { field, value, request } of attacks(type, valid, new Set())) {
        count += 1;
        const { code, details, metadata } = await callRaw(client, { path, isStream }, [], Buffer.from(request));
        const named = unpackDetails({ metadata }).errorInfo?.metadata.field;
        if (code !== status.INVALID_ARGUMENT) failures.push(`${path} ${field} = ${value}: ${status[code]} ${details}`);
        else if (named !== field && !details.includes(`${field}: `))
          failures.push(`${path} ${field} = ${value} names ${named}: ${details}`);
        else if (/expected [^;]*expected |expected something else/.test(details.replaceAll(value, "")))
          failures.push(`${path} ${field} = ${value} does not say in one clear sentence what is expected: ${details}`);
      }
    }
  }
  expect(failures).toEqual([]);
  expect(count).toBeGreaterThan(300);
  expect(await everything(folder())).toEqual(before);
}, 600_000);
