import { join } from "node:path";
import { streamingCost } from "../../bench/streaming-cost/streaming-cost.js";
import { readSpans } from "../../core/service/read-spans.js";
import { withSpan } from "../../core/service/tracing.js";
import { channelTo, freePorts, startTestGenerator, startTestTrainer } from "../support/services.js";
import { type Span, spansOf } from "../support/spans.js";
import { useTemporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { createRun, iterate, smallSpec, succeeded } from "../support/trainer-client.js";

const folder = useTemporaryFolder();

test("one trace leads from the client's StartIteration through the steps to the generator's batches and their compute worker", async () => {
  const modelDir = join(folder(), "models");
  await writeTinyModel(join(modelDir, "tiny"));
  const spans = await spansOf(join(folder(), "trace.jsonl"), async () => {
    const [port] = await freePorts(1);
    const trainer = await startTestTrainer(folder(), { modelDir, generators: [`127.0.0.1:${port}`] });
    const generator = await startTestGenerator(folder(), { modelDir, port });
    const channel = channelTo(trainer);
    const { runId } = await createRun(channel);
    await withSpan("client", {}, async () => succeeded(await iterate(channel, runId, "a", smallSpec("sft"))));
    channel.close();
    await trainer.stop();
    await generator.stop();
  });
  const named = (name: string) => spans.filter((span) => span.name === name);
  const parents = ({ parentSpanId }: Span): string[] => {
    const parent = spans.find(({ spanId }) => spanId === parentSpanId);
    return parent === undefined ? [] : [parent.name, ...parents(parent)];
  };

  const [client] = named("client");
  const steps = named("optimizer step");
  expect(steps).toHaveLength(3);
  const start = "spin.v1.TrainerService/StartIteration";
  for (const step of steps) expect(parents(step)).toEqual(["iteration", start, start, "client"]);
  for (const add of named("worker add")) expect(parents(add)[0]).toBe("optimizer step");

  const draws = named("worker draws");
  expect(draws).toHaveLength(6);
  const sample = "spin.v1.GeneratorService/SampleTrajectories";
  for (const one of draws)
    expect(parents(one)).toEqual(["generator draws", sample, sample, "iteration", start, start, "client"]);
  for (const one of [...steps, ...draws]) expect(one.traceId).toBe(client!.traceId);

  // Each step says which batches it learned from: two, of the six.
  const linked = steps.map(({ links }) => links!.map(({ spanId }) => spanId));
  expect(linked.map((links) => links.length)).toEqual([2, 2, 2]);
  expect(new Set(linked.flat())).toEqual(new Set(named("generator draws").map(({ spanId }) => spanId)));

  // And what waiting and streaming cost, where each part is measured at its own end.
  const [cost] = streamingCost(await readSpans(join(folder(), "trace.jsonl")));
  expect(cost).toMatchObject({ number: 1, steps: 3, batches: 6, untraced: 0, generators: 1 });
  const { seconds, waited, trainerComputes, streaming, encoding, handingOver, takingIn } = cost!;
  for (const part of [waited, trainerComputes, encoding, handingOver, takingIn]) expect(part).toBeGreaterThan(0);
  expect(streaming).toBeCloseTo(encoding + handingOver + takingIn, 6);
  expect(waited + trainerComputes).toBeLessThan(seconds);
});
