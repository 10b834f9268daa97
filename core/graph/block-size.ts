import { emitModel } from "./onnx.js";
import { conv } from "./ops/conv.js";
import { convInBlocks, intoBlocks } from "./ops/conv-in-blocks.js";
import { input } from "./ops/leaf.js";
import { Session } from "./session.js";

let found: Promise<number | undefined> | undefined;

/**
 * How many channels lie side by side in onnxruntime's blocked convolutions on this CPU: 8 or 16, by its instruction set. Undefined where
 * the runtime refuses those operators, which are its own, or computes something else with them. Found out once by running them.
 */
export function blockSize(): Promise<number | undefined> {
  found ??= probe().catch(() => undefined);
  return found;
}

/** More channels than any block, and several whole ones. */
const CHANNELS = 32;

async function probe(): Promise<number | undefined> {
  const block = await firstBlock();
  return (await convolvesAsUsual(block)) ? block : undefined;
}

/** Of two positions, the second one's first channel comes when a whole block of the first one's has gone by. */
async function firstBlock(): Promise<number> {
  const x = input("x", [1, CHANNELS, 1, 2]);
  const session = await Session.create(emitModel({ y: intoBlocks(x) }), { threads: 1 });
  const { y } = await session.run({ x: Float32Array.from({ length: 2 * CHANNELS }, (_, i) => i) });
  await session.release();
  return y!.indexOf(1);
}

async function convolvesAsUsual(block: number): Promise<boolean> {
  const [x, weight] = [input("x", [1, CHANNELS, 3, 3]), input("weight", [CHANNELS, CHANNELS, 3, 3])];
  const padding = [1, 1, 1, 1] as const;
  const blocked = convInBlocks(x, weight, undefined, { stride: 1, padding, size: [3, 3], block });
  const session = await Session.create(emitModel({ blocked, usual: conv(x, weight, undefined, { padding }) }), {
    threads: 1,
  });
  const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
  const feeds = { x: wave(9 * CHANNELS), weight: wave(9 * CHANNELS * CHANNELS) };
  const { blocked: b, usual: u } = await session.run(feeds);
  await session.release();
  return b!.every((value, i) => Math.abs(value - u![i]!) < 1e-3);
}
