import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

/** A Kubernetes object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; namespace?: string; labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly labels?: readonly { readonly pairs: Record<string, string> }[];
  readonly resources: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly images?: readonly { readonly name: string; readonly newName?: string; readonly newTag: string }[];
}

const FIELDS = ["apiVersion", "kind", "namespace", "labels", "resources", "patches", "images"];
const CLUSTER_WIDE = ["Namespace"];

/**
 * Renders a kustomization as `kubectl kustomize` does, for the fields that this repository's use: no package of the registry does it in JavaScript.
 * @throws for any other field, so that none is passed over
 */
export async function renderKustomization(folder: string): Promise<Manifest[]> {
  const file = join(folder, "kustomization.yaml");
  const kustomization = parse(await readFile(file, "utf8")) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !FIELDS.includes(field));
  if (unknown.length > 0) throw new Error(`${file}: this renderer does not know ${unknown.join(", ")}`);
  let manifests: Manifest[] = [];
  for (const resource of kustomization.resources) {
    const path = join(dirname(file), resource);
    manifests.push(...(resource.endsWith(".yaml") ? await readManifests(path) : await renderKustomization(path)));
  }
  for (const { path } of kustomization.patches ?? []) {
    for (const patch of await readManifests(join(folder, path))) {
      const target = manifests.find((one) => one.kind === patch.kind && one.metadata.name === patch.metadata.name);
      if (target === undefined) throw new Error(`${path}: there is no ${patch.kind} ${patch.metadata.name} to patch`);
      manifests = manifests.map((one) => (one === target ? (merge(one, patch) as Manifest) : one));
    }
  }
  for (const manifest of manifests) {
    if (kustomization.namespace !== undefined && !CLUSTER_WIDE.includes(manifest.kind))
      manifest.metadata.namespace = kustomization.namespace;
    for (const { pairs } of kustomization.labels ?? [])
      manifest.metadata.labels = { ...manifest.metadata.labels, ...pairs };
    for (const image of kustomization.images ?? []) setImage(manifest, image);
  }
  return manifests;
}

async function readManifests(file: string): Promise<Manifest[]> {
  return parseAllDocuments(await readFile(file, "utf8")).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]!.message}`);
    return document.toJS() as Manifest;
  });
}

/** A strategic merge: objects by key, lists of named things by name, other lists whole. */
function merge(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch) && patch.every(isNamed)) {
    const rest = patch.filter(({ name }) => !base.some((one) => isNamed(one) && one.name === name));
    return [
      ...base.map((one: unknown) =>
        merge(one, isNamed(one) ? (patch.find(({ name }) => name === one.name) ?? {}) : {}),
      ),
      ...rest,
    ];
  }
  if (!isObject(base) || !isObject(patch)) return patch;
  const keys = [...Object.keys(base), ...Object.keys(patch)];
  return Object.fromEntries(
    keys.map((key) => [key, key in patch ? (key in base ? merge(base[key], patch[key]) : patch[key]) : base[key]]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): value is { readonly name: string } {
  return isObject(value) && typeof value.name === "string";
}

function setImage(value: unknown, image: { name: string; newName?: string; newTag: string }): void {
  if (Array.isArray(value)) for (const one of value) setImage(one, image);
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key !== "image") setImage(inner, image);
    else if (typeof inner === "string" && inner.replace(/:[^:/]*$/, "") === image.name)
      value[key] = `${image.newName ?? image.name}:${image.newTag}`;
  }
}
