import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

/** What a link between two services may do to them. */
export interface LinkFaults {
  /** Milliseconds that every piece is late. */
  latencyMs: number;
  /** Bytes that are sent on at a time; 0: as they come. */
  sliceBytes: number;
  /** Whether everything is taken and nothing sent on: neither side hears of it. */
  blackhole: boolean;
}

const HEALTHY: LinkFaults = { latencyMs: 0, sliceBytes: 0, blackhole: false };

/** A TCP link that fails on demand, in this process: what one side sends to it goes to the target and back. */
export class FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<{ readonly near: Socket; readonly far: Socket }>();
  readonly #targetPort: number;
  #faults: LinkFaults = { ...HEALTHY };

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

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
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
    };
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    this.#forward(near, far);
    this.#forward(far, near);
  }

  #forward(from: Socket, to: Socket): void {
    let last = Promise.resolve();
    from.on("data", (data: Buffer) => {
      const { latencyMs, sliceBytes, blackhole } = this.#faults;
      if (blackhole) return; // What is lost is lost: TCP's own retransmission ends at this proxy.
      last = last.then(async () => {
        if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
        const size = sliceBytes || data.length;
        for (let start = 0; start < data.length && !to.destroyed; start += size)
          to.write(data.subarray(start, start + size));
      });
    });
    from.on("end", () => void last.then(() => to.end()));
  }
}
