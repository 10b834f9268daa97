import { link, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { saveFolder } from "../core/checkpoint/atomic-save.js";
import { RpcChannel } from "../core/service/client.js";
import { createLogger } from "../core/service/logging.js";
import { startServer } from "../core/service/server.js";
import { Checkpoint } from "../proto/gen/spin/v1/checkpoint.js";
import { CheckpointServiceService, type ReadFileResponse } from "../proto/gen/spin/v1/checkpoint_service.js";
import { IterationSpec } from "../proto/gen/spin/v1/training.js";
import { useTemporaryFolder } from "../test/support/temporary-folder.js";
import { checkpointService } from "./checkpoint-service.js";
import { Checkpoints } from "./checkpoints.js";
import { LINEAGE_FILE, lineageJson } from "./lineage.js";

const folder = useTemporaryFolder();
const log = createLogger("test", "silent");
const open = () => Checkpoints.open(folder(), ["run-1", "run-2"], log);

/** Writes a checkpoint as the compute worker does, and publishes it. */
async function publish(
  checkpoints: Checkpoints,
  content: string,
  change: Partial<Checkpoint> = {},
): Promise<Checkpoint> {
  const checkpoint = Checkpoint.fromPartial({
    runId: "run-1",
    iterationId: "run-1-iteration-1",
    iterationNumber: 1,
    step: 5,
    totalSteps: 15,
    baseDigest: "sha256:0",
    final: true,
    createTime: { seconds: 100n },
    ...change,
  });
  const lineage = {
    checkpoint,
    spec: IterationSpec.fromPartial({ numSteps: 5 }),
    dataset: { name: "emoji", digest: "sha256:1", split: "train" },
    seed: 2n ** 63n,
    samplingSpecDigest: "sha256:2",
    computeFingerprint: "sha256:3",
  };
  const manifest = await saveFolder(checkpoints.incoming(checkpoint), async (at) => {
    await mkdir(join(at, "unet"));
    await writeFile(join(at, "model_index.json"), "{}");
    await writeFile(join(at, "unet", "weights.safetensors"), content);
    await mkdir(join(at, "training_state"));
    await writeFile(join(at, LINEAGE_FILE), lineageJson(lineage));
  });
  return checkpoints.publish(lineage, manifest);
}

test("a checkpoint lies under its digest, and another process finds it with its origin", async () => {
  const first = await publish(await open(), "weights");
  expect(await readdir(join(folder(), "run-1", "checkpoints"))).toEqual([first.digest.slice(7)]);
  expect(first).toMatchObject({ size: 9n, totalSteps: 15 });
  const again = await open();
  expect(again.list().map(({ checkpoint }) => checkpoint)).toEqual([first]);
  expect(again.get(first.digest).manifest.files.map(({ path }) => path)).toEqual([
    "model_index.json",
    "unet/weights.safetensors",
  ]);
  expect(() => again.get("sha256:4")).toThrow(expect.objectContaining({ kind: "notFound" }));
});

test("the lineage is kept outside the digest", async () => {
  const { digest } = await publish(await open(), "weights");
  const file = join(folder(), "run-1", "checkpoints", digest.slice(7), LINEAGE_FILE);
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
    checkpoint: { runId: "run-1", baseDigest: "sha256:0" },
    dataset: { digest: "sha256:1" },
    spec: { numSteps: 5 },
    seed: "9223372036854775808",
  });
  const other = await publish(await open(), "weights", { runId: "run-2", totalSteps: 99 });
  expect(other.digest).toBe(digest);
});

test("the same weights again take up the newer lineage", async () => {
  const checkpoints = await open();
  await publish(checkpoints, "weights", { final: false, step: 5 });
  const second = await publish(checkpoints, "weights", { iterationId: "run-1-iteration-2", step: 6 });
  expect(checkpoints.list().map(({ checkpoint }) => checkpoint)).toEqual([second]);
  expect((await open()).list().map(({ checkpoint }) => checkpoint)).toEqual([second]);
});

test("checkpoints are listed by age, also those of one run alone", async () => {
  const checkpoints = await open();
  for (const [i, runId] of ["run-2", "run-1", "run-2"].entries()) {
    await publish(checkpoints, `weights ${i}`, {
      runId,
      totalSteps: i,
      createTime: { seconds: 100n + BigInt(i), nanos: 0 },
    });
  }
  const steps = (all: Checkpoints, run?: string) => all.list(run).map(({ checkpoint }) => checkpoint.totalSteps);
  expect(steps(checkpoints)).toEqual([0, 1, 2]);
  const again = await open();
  expect([steps(again), steps(again, "run-2"), steps(again, "run-3")]).toEqual([[0, 1, 2], [0, 2], []]);
});

test("what a crash left is removed, what cannot be read is left out", async () => {
  const parent = join(folder(), "run-1", "checkpoints");
  await mkdir(join(parent, ".incoming-run-1-iteration-1-5", "unet"), { recursive: true });
  await mkdir(join(parent, "0".repeat(64)));
  expect((await open()).list()).toEqual([]);
  expect(await readdir(parent)).toEqual(["0".repeat(64)]);
});

describe("the checkpoint service", () => {
  const close: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const one of close.splice(0)) await one();
  });

  async function serve(content: string) {
    const checkpoints = await open();
    const checkpoint = await publish(checkpoints, content);
    const server = await startServer({ host: "127.0.0.1", port: 0, services: [checkpointService(checkpoints)], log });
    const channel = new RpcChannel(`127.0.0.1:${server.port}`);
    close.push(async () => {
      channel.close();
      await server.stop(0);
    });
    const read = async (path: string, offset = 0n) => {
      const pieces: ReadFileResponse[] = [];
      const request = { digest: checkpoint.digest, path, offset };
      for await (const piece of channel.stream(CheckpointServiceService.readFile, request)) pieces.push(piece);
      return pieces;
    };
    return { checkpoint, channel, read };
  }

  const large = "0123456789abcdef".repeat(160_000);

  test("streams a file from any offset, in pieces that fit a message", async () => {
    const { read } = await serve(large);
    for (const offset of [0, 5, 2_000_000]) {
      const pieces = await read("unet/weights.safetensors", BigInt(offset));
      expect(Buffer.concat(pieces.map(({ data }) => data)).toString() === large.slice(offset)).toBe(true);
      expect(pieces.map((piece) => Number(piece.offset))).toEqual(pieces.map((_, i) => offset + i * 2 ** 20));
      for (const { data } of pieces) expect(data.length).toBeLessThanOrEqual(2 ** 20);
    }
    expect(await read("unet/weights.safetensors", BigInt(large.length))).toEqual([
      { offset: BigInt(large.length), data: Buffer.alloc(0) },
    ]);
  });

  test("hands out nothing that is not in the manifest", async () => {
    const { read } = await serve("weights");
    await link(
      join(
        folder(),
        "run-1",
        "checkpoints",
        (await readdir(join(folder(), "run-1", "checkpoints")))[0]!,
        "manifest.json",
      ),
      join(folder(), "secret.json"),
    );
    for (const path of [LINEAGE_FILE, "manifest.json"]) {
      await expect(read(path)).rejects.toMatchObject({ kind: "notFound", details: { field: "path" } });
    }
    for (const path of ["../../../secret.json", "/etc/hostname", ""]) {
      await expect(read(path)).rejects.toMatchObject({ kind: "invalid", details: { field: "path" } });
    }
    await expect(read("model_index.json", 3n)).rejects.toMatchObject({ kind: "invalid", details: { field: "offset" } });
  });

  test("tells of a file that is shorter than its manifest says", async () => {
    const { read, checkpoint } = await serve("weights");
    await writeFile(
      join(folder(), "run-1", "checkpoints", checkpoint.digest.slice(7), "unet/weights.safetensors"),
      "wei",
    );
    await expect(read("unet/weights.safetensors")).rejects.toMatchObject({ kind: "corrupt" });
  });

  test("lists checkpoints and shows their manifests", async () => {
    const { channel, checkpoint } = await serve("weights");
    const { listCheckpoints, getCheckpoint } = CheckpointServiceService;
    const listed = await channel.call(listCheckpoints, { runId: "", pageSize: 0, pageToken: "" });
    expect(listed).toEqual({ checkpoints: [checkpoint], nextPageToken: "" });
    const shown = await channel.call(getCheckpoint, { digest: checkpoint.digest });
    expect(shown.checkpoint).toEqual(checkpoint);
    expect(shown.manifest!.files.map(({ path, size }) => [path, size])).toEqual([
      ["model_index.json", 2n],
      ["unet/weights.safetensors", 7n],
    ]);
    await expect(channel.call(getCheckpoint, { digest: "sha256:1" })).rejects.toMatchObject({ kind: "invalid" });
    const unknown = `sha256:${"1".repeat(64)}`;
    await expect(channel.call(getCheckpoint, { digest: unknown })).rejects.toMatchObject({ kind: "notFound" });
  });
});
