import { createReadStream } from "node:fs";
import { join } from "node:path";
import { toIoError } from "../core/checkpoint/io-errors.js";
import { SpinError } from "../core/errors.js";
import { type BoundService, defineService } from "../core/service/handlers.js";
import { CHUNK_BYTES } from "../core/service/limits.js";
import { checkRequest } from "../core/service/validation.js";
import {
  CheckpointServiceService,
  type ReadFileRequest,
  type ReadFileResponse,
} from "../proto/gen/spin/v1/checkpoint_service.js";
import type { Checkpoints } from "./checkpoints.js";
import { pageOf } from "./paging.js";
import { getCheckpointRequest, listCheckpointsRequest, readFileRequest } from "./requests.js";

/** The calls by which generators and people get what this trainer has written. */
export function checkpointService(checkpoints: Checkpoints): BoundService {
  return defineService(CheckpointServiceService, {
    listCheckpoints: async (request) => {
      const { runId, pageSize, pageToken } = checkRequest(listCheckpointsRequest, request);
      const { page, next } = pageOf(checkpoints.list(runId), pageSize, pageToken);
      return { checkpoints: page.map(({ checkpoint }) => checkpoint), nextPageToken: next };
    },

    getCheckpoint: async (request) => {
      const { digest } = checkRequest(getCheckpointRequest, request);
      const { checkpoint, manifest } = checkpoints.get(digest);
      const files = manifest.files.map((file) => ({ ...file, size: BigInt(file.size) }));
      return { checkpoint, manifest: { digest: manifest.digest, files } };
    },

    readFile: async function* (request) {
      yield* readFile(checkpoints, checkRequest(readFileRequest, request));
    },
  });
}

/** @throws SpinError "notFound" for anything that is not in the manifest, "invalid" for an offset beyond the file's end */
async function* readFile(
  checkpoints: Checkpoints,
  { digest, path, offset }: ReadFileRequest,
): AsyncGenerator<ReadFileResponse, void, undefined> {
  const { manifest, folder } = checkpoints.get(digest);
  const file = manifest.files.find((one) => one.path === path);
  if (file === undefined) {
    throw new SpinError("notFound", `the checkpoint has no file "${path}"`, {
      field: "path",
      remedy: "GetCheckpoint tells its files",
    });
  }
  if (offset > BigInt(file.size)) {
    throw new SpinError("invalid", `offset: expected 0 to ${file.size}, got ${offset}`, { field: "offset" });
  }
  let position = Number(offset);
  if (position === file.size) yield { offset, data: Buffer.alloc(0) };
  const source = join(folder, path);
  const bytes = createReadStream(source, { start: position, highWaterMark: CHUNK_BYTES });
  try {
    for await (const data of bytes as AsyncIterable<Buffer>) {
      yield { offset: BigInt(position), data };
      position += data.length;
    }
  } catch (error) {
    throw toIoError(error, source, "read");
  }
  if (position === file.size) return;
  throw new SpinError("corrupt", `${source} ends at ${position}, its manifest says ${file.size}`, { file: source });
}
