import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

/** What a link between two services may do to them. */
export interface LinkFaults {
  /** Milliseconds that every piece is late. */
  latencyMs: number;
  /** Bytes that pass in a second, each way; 0: any number. */
  bytesPerSecond: number;
  /** Bytes that are sent on at a time; 0: as they come. */
  sliceBytes: number;
  /** Whether everything is taken and nothing sent on: neither side hears of it. */
  blackhole: boolean;
}

const HEALTHY: LinkFaults = { latencyMs: 0, bytesPerSecond: 0, sliceBytes: 0, blackhole: false };

/** One bit that is to be flipped on its way. */
export interface FlippedBit {
  /** Whether on the way to the target, or back from it. */
  readonly way: "there" | "back";
  /** Where in the next piece of `leastBytes` or more, 0 to 1. */
  readonly place: number;
  /** Pieces that are smaller pass. */
  readonly leastBytes: number;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
}

/** A TCP link that fails on demand, in this process: what one side sends to it goes to the target and back. */
export class FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Near sides of half-open connections. */
  readonly #lost = new Set<Socket>();
  #targetPort: number;
  #faults: LinkFaults = { ...HEALTHY };
  #flip: (FlippedBit & { readonly done: () => void }) | undefined;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((near) => this.#accept(near));
  }

  static async listen(port: number, targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(port, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** As `127.0.0.1:50051`. */
  get address(): string {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
  }

  /** From now on, for the connections there are and those to come. */
  set(faults: Partial<LinkFaults>): void {
    this.#faults = { ...HEALTHY, ...faults };
  }

  /** Ends all connections in order (FIN). */
  cut(): void {
    for (const { near, far } of this.#links) {
      near.end();
      far.end();
    }
  }

  /** Breaks all connections off (RST). */
  reset(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Breaks all connections off on the target's side alone, as when its machine went down: the near side hears nothing, ever. */
  halfOpen(): void {
    for (const { near, far } of this.#links) {
      far
        .removeAllListeners()
        .on("error", () => undefined)
        .resetAndDestroy();
      near.removeAllListeners("data").resume(); // Taken, and gone.
      this.#lost.add(near);
    }
    this.#links.clear();
  }

  /** Flips one bit. @returns once that has happened */
  flip(bit: FlippedBit): Promise<void> {
    return new Promise((done) => {
      this.#flip = { ...bit, done };
    });
  }

  /** Leads to another target from now on; connections to the one before are broken off. */
  redirect(targetPort: number): void {
    this.#targetPort = targetPort;
    this.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    for (const socket of this.#lost) socket.destroy();
    await closed;
  }

  #accept(near: Socket): void {
    const far = tcpConnect(this.#targetPort, "127.0.0.1");
    const link = { near, far };
    this.#links.add(link);
    const end = () => {
      near.destroy();
      far.destroy();
      this.#links.delete(link);
      this.#lost.delete(near);
    };
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    this.#forward(near, far, "there");
    this.#forward(far, near, "back");
  }

  #forward(from: Socket, to: Socket, way: FlippedBit["way"]): void {
    let last = Promise.resolve();
    from.on("data", (data: Buffer) => {
      const { latencyMs, bytesPerSecond, sliceBytes, blackhole } = this.#faults;
      if (blackhole) return; // What is lost is lost: TCP's own retransmission ends at this proxy.
      this.#damage(data, way);
      last = last.then(async () => {
        const size = sliceBytes || data.length;
        const waitMs = latencyMs + (bytesPerSecond > 0 ? (1000 * data.length) / bytesPerSecond : 0);
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        for (let start = 0; start < data.length && !to.destroyed; start += size)
          to.write(data.subarray(start, start + size));
      });
    });
    from.on("end", () => void last.then(() => to.end()));
  }

  #damage(data: Buffer, way: FlippedBit["way"]): void {
    const flip = this.#flip;
    if (flip === undefined || flip.way !== way || data.length < flip.leastBytes) return;
    this.#flip = undefined;
    const bit = Math.min(8 * data.length - 1, Math.floor(flip.place * 8 * data.length));
    data[bit >> 3]! ^= 1 << (bit & 7);
    flip.done();
  }
}
