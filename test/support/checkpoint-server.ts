import { open } from "node:fs/promises";
import { join } from "node:path";
import { digestFolder } from "../../core/checkpoint/manifest.js";
import { SpinError } from "../../core/errors.js";
import { defineService, type Handlers } from "../../core/service/handlers.js";
import { createLogger } from "../../core/service/logging.js";
import { startServer } from "../../core/service/server.js";
import {
  CheckpointServiceService,
  type ReadFileRequest,
  type ReadFileResponse,
} from "../../proto/gen/spin/v1/checkpoint_service.js";

type CheckpointHandlers = Handlers<typeof CheckpointServiceService>;

/** A checkpoint service that hands out one folder, and notes what it was asked for. */
export interface CheckpointServer {
  readonly address: string;
  readonly digest: string;
  /** Every ReadFile request, as `unet/config.json@0`. */
  readonly reads: string[];
  close(): Promise<void>;
}

const PIECE = 4096;

/** Serves a folder on a free port of loopback; `overrides` takes the place of single methods. */
export async function startCheckpointServer(
  folder: string,
  overrides: Partial<CheckpointHandlers> = {},
): Promise<CheckpointServer> {
  const manifest = await digestFolder(folder);
  const reads: string[] = [];
  const handlers: CheckpointHandlers = {
    listCheckpoints: async () => ({ checkpoints: [], nextPageToken: "" }),
    getCheckpoint: async ({ digest }) => {
      if (digest !== manifest.digest) throw new SpinError("notFound", `no checkpoint ${digest}`);
      const files = manifest.files.map((file) => ({ ...file, size: BigInt(file.size) }));
      return { checkpoint: undefined, manifest: { digest, files } };
    },
    readFile: (request) => readPieces(folder, request),
    ...overrides,
  };
  const { readFile } = handlers;
  const noting: CheckpointHandlers = {
    ...handlers,
    readFile: (request, context) => {
      reads.push(`${request.path}@${request.offset}`);
      return readFile(request, context);
    },
  };
  const log = createLogger("test", "silent");
  const services = [defineService(CheckpointServiceService, noting)];
  const server = await startServer({ host: "127.0.0.1", port: 0, services, log });
  return { address: `127.0.0.1:${server.port}`, digest: manifest.digest, reads, close: () => server.stop(0) };
}

/** A file from an offset on, in small pieces. */
export async function* readPieces(folder: string, { path, offset }: ReadFileRequest): AsyncGenerator<ReadFileResponse> {
  const handle = await open(join(folder, path));
  try {
    for (let at = Number(offset); ; ) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(PIECE), 0, PIECE, at);
      if (bytesRead === 0) return;
      yield { offset: BigInt(at), data: buffer.subarray(0, bytesRead) };
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
