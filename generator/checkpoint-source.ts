import { type Manifest, parseManifest } from "../core/checkpoint/manifest.js";
import { SpinError } from "../core/errors.js";
import { RpcChannel } from "../core/service/client.js";
import { Caller } from "../core/service/doors/caller.js";
import { CheckpointServiceService } from "../proto/gen/spin/v1/checkpoint_service.js";

/** Where checkpoints are fetched from: the checkpoint service at an address that the configuration names. */
export class CheckpointSource {
  readonly #channel: RpcChannel;

  constructor(address: string, caller: Caller = Caller.anonymous()) {
    this.#channel = new RpcChannel(address, { caller });
  }

  get address(): string {
    return this.#channel.address;
  }

  /** @throws SpinError `notFound` for an unknown digest, `corrupt` for a manifest that is not what it says, `unavailable` */
  async manifest(digest: string, signal: AbortSignal): Promise<Manifest> {
    const { manifest } = await this.#channel.call(CheckpointServiceService.getCheckpoint, { digest }, { signal });
    const files = manifest?.files.map((file) => ({ ...file, size: Number(file.size) }));
    const parsed = parseManifest({ digest: manifest?.digest, files }, this.address);
    if (parsed.digest === digest) return parsed;
    throw new SpinError("corrupt", `${this.address} answered with checkpoint ${parsed.digest}, asked for ${digest}`);
  }

  /**
   * The bytes of a file from an offset to its end.
   * @throws SpinError `corrupt` for a piece that does not follow the one before, and what the service answers
   */
  async *read(digest: string, path: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const request = { digest, path, offset: BigInt(offset) };
    let next = offset;
    for await (const piece of this.#channel.stream(CheckpointServiceService.readFile, request, { signal })) {
      if (Number(piece.offset) !== next) {
        throw new SpinError("corrupt", `${this.address} sent byte ${piece.offset} of ${path}, expected ${next}`);
      }
      next += piece.data.length;
      yield piece.data;
    }
  }

  close(): void {
    this.#channel.close();
  }
}
