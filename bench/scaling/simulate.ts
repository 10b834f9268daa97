/** What is measured of a system; all times in seconds, all rates per second. */
export interface Measured {
  /** To sample one batch on one generator. */
  readonly batchSeconds: number;
  /** Optimiser step on one batch of draws. */
  readonly stepSeconds: number;
  /** Bytes of one batch's draws. */
  readonly batchBytes: number;
  /** Sampling batches that one optimiser step consumes. */
  readonly batchesPerStep: number;
  /** What the trainer's network carries in each direction, in bytes per second. */
  readonly networkBytesPerSecond: number;
  /** Size of a checkpoint's weights, which each generator fetches when an iteration begins. */
  readonly checkpointBytes: number;
  /** What the trainer's disk reads, in bytes per second. */
  readonly diskBytesPerSecond: number;
  /** From a generator having the checkpoint to its first batch: reading and compiling it. */
  readonly loadSeconds: number;
  /** From the iteration's start until the trainer's graph is built, while generators sample already. */
  readonly buildSeconds: number;
  readonly steps: number;
  /** Batches that a generator has asked of it at a time. */
  readonly lanes: number;
}

export type Limit = "generators" | "trainer" | "network" | "disk";

export interface Simulated {
  readonly generators: number;
  /** From the iteration's start to its last step. */
  readonly seconds: number;
  readonly stepsPerSecond: number;
  /** Share of the time that the trainer waits. */
  readonly waitShare: number;
  /** Share of the time that the generators compute, on average. */
  readonly generatorUse: number;
  /** What holds the system back: the resource that is busy for the largest share of the time. */
  readonly limit: Limit;
}

/** A resource that serves one customer after another. */
class Server {
  busy = 0;
  #free = 0;

  /** @returns when a piece of work that arrives at `time` is done */
  serve(time: number, seconds: number): number {
    this.#free = Math.max(this.#free, time) + seconds;
    this.busy += seconds;
    return this.#free;
  }
}

/**
 * Discrete events of one iteration: every generator fetches the checkpoint from the trainer's disk over its network, then samples batch after batch,
 * no further ahead of training than its lanes allow; batches cross the trainer's network one by one; the trainer takes them in order.
 */
export function simulate(generators: number, measured: Measured): Simulated {
  const {
    batchSeconds,
    stepSeconds,
    batchBytes,
    batchesPerStep,
    networkBytesPerSecond,
    checkpointBytes,
    diskBytesPerSecond,
    loadSeconds,
    buildSeconds,
    steps,
    lanes,
  } = measured;
  // Full duplex: checkpoints leave the trainer while draws come in.
  const [incoming, outgoing, disk] = [new Server(), new Server(), new Server()];
  const numBatches = steps * batchesPerStep;
  const window = Math.max(16, lanes * generators);
  // A read is sent as it comes: the network begins with it, and ends no sooner.
  const free = Array.from({ length: generators }, () => {
    const read = disk.serve(0, checkpointBytes / diskBytesPerSecond);
    return Math.max(read, outgoing.serve(0, checkpointBytes / networkBytesPerSecond)) + loadSeconds;
  });
  const consumed: number[] = [];
  const arrived: number[] = [];
  let [trainer, waited] = [buildSeconds, 0];
  let next = 0;
  for (let step = 0; step < steps; step++) {
    const last = (step + 1) * batchesPerStep;
    // Whoever is free first takes the next batch, once the window has room for it.
    while (next < Math.min(numBatches, last + window)) {
      const room = next < window ? 0 : consumed[Math.floor((next - window) / batchesPerStep)];
      if (room === undefined) break;
      const who = free.indexOf(Math.min(...free));
      free[who] = Math.max(free[who]!, room) + batchSeconds;
      arrived[next++] = free[who]!;
    }
    // The network takes batches in the order in which they are done; within the window that is close to their own.
    let ready = 0;
    for (let batch = step * batchesPerStep; batch < last; batch++) {
      ready = Math.max(ready, incoming.serve(arrived[batch]!, batchBytes / networkBytesPerSecond));
    }
    waited += Math.max(0, ready - trainer);
    trainer = Math.max(trainer, ready) + stepSeconds;
    consumed[step] = trainer;
  }
  const use: Record<Limit, number> = {
    generators: (numBatches * batchSeconds) / generators,
    trainer: steps * stepSeconds,
    network: Math.min(Math.max(incoming.busy, outgoing.busy), trainer),
    disk: Math.min(disk.busy, trainer), // Those who come late may find the iteration over.
  };
  const [limit] = Object.entries(use).sort(([, a], [, b]) => b - a)[0]! as [Limit, number];
  return {
    generators,
    seconds: trainer,
    stepsPerSecond: steps / trainer,
    waitShare: waited / trainer,
    generatorUse: use.generators / trainer,
    limit,
  };
}
