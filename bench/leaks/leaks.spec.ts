import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyModel } from "../../test/support/tiny-model.js";
import { loopIterations } from "./iterate.js";

/** The short form of `node bench/leaks.mjs`: memory needs more iterations to tell, all else shows at once. */

const folder = useTemporaryFolder();

test("iterations leave no handles, threads, sessions or processes behind", async () => {
  await writeTinyModel(join(folder(), "models/model"));
  const looks = await loopIterations({ folder: folder(), modelDir: join(folder(), "models"), iterations: 8 });
  for (const service of ["trainer", "generator"] as const) {
    // The generator holds two models once there were two; which threads have just ended is a matter of moments.
    const [before, after] = [looks.slice(2, 5), looks.slice(5)].map((some) => some.map((look) => look[service]));
    for (const measure of ["handles", "threads", "children"] as const) {
      const most = (samples: typeof before) => Math.max(...samples!.map((sample) => sample[measure]));
      expect(`${service}'s ${measure}: ${most(after)}`).toBe(`${service}'s ${measure}: ${most(before)}`);
    }
  }
}, 400_000);
