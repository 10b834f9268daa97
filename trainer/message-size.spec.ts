import { join } from "node:path";
import { useSharedFolder } from "../test/support/temporary-folder.js";
import { writeTinyModel } from "../test/support/tiny-model.js";
import { smallSpec } from "../test/support/trainer-client.js";
import { checkMessageSize } from "./message-size.js";
import type { CheckedSpec } from "./settings.js";

const folder = useSharedFolder();
beforeAll(() => writeTinyModel(join(folder(), "tiny")));

/** Whole trajectories of so many steps, sampled in batches of so many samples; pictures of 128² where nothing is said. */
function exact(numSteps: number, batchSize: number, resolution = 128): CheckedSpec {
  const spec = smallSpec("spinExact");
  const { sampling } = spec;
  const sampler = { ...sampling!.sampler!, numSteps };
  const image = { ...sampling!.image!, resolution };
  return {
    ...spec,
    batchSize: 12,
    sampling: { ...sampling!, sampler, drawsPerSample: numSteps, batchSize, image },
  } as CheckedSpec;
}

test("a batch whose draws fit one message is taken", async () => {
  await expect(checkMessageSize(exact(5, 2, 0), join(folder(), "tiny"))).resolves.toBeUndefined();
});

test("one that does not is refused with the largest that fits and divides the batch", async () => {
  const error: unknown = await checkMessageSize(exact(50, 12), join(folder(), "tiny")).catch((thrown) => thrown);
  expect(error).toMatchObject({ kind: "invalid", details: { field: "spec.sampling.batch_size" } });
  const [, most] = /set spec\.sampling\.batch_size to (\d+), the largest/.exec((error as Error).message)!;
  expect(12 % Number(most)).toBe(0);
  await expect(checkMessageSize(exact(50, Number(most)), join(folder(), "tiny"))).resolves.toBeUndefined();
  const larger = [1, 2, 3, 4, 6, 12].find((divisor) => divisor > Number(most))!;
  await expect(checkMessageSize(exact(50, larger), join(folder(), "tiny"))).rejects.toThrow("fit 67 MB");
});

test("where not even one sample fits, the number of draws is named", async () => {
  await expect(checkMessageSize(exact(1000, 1), join(folder(), "tiny"))).rejects.toMatchObject({
    details: { field: "spec.sampling.draws_per_sample" },
  });
});

test("a resolution that the model does not have is refused", async () => {
  await expect(checkMessageSize(exact(5, 1, 511), join(folder(), "tiny"))).rejects.toMatchObject({
    details: { field: "spec.sampling.image.resolution" },
  });
});
