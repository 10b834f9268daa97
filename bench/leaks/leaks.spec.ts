import { join } from "node:path";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { writeTinyModel } from "../../test/support/tiny-model.js";
import type { Measure } from "./growth.js";
import { loopIterations } from "./iterate.js";

/** The short form of `node bench/leaks.mjs`: memory needs more iterations to tell, all else shows at once. */

/** Threads that come late and stay. A session that stays costs one an iteration, and an iteration has several. */
const SLACK = 2;
const folder = useTemporaryFolder();

test("iterations leave no handles, threads, sessions or processes behind", async () => {
  await writeTinyModel(join(folder(), "models/model"));
  const looks = await loopIterations({ folder: folder(), modelDir: join(folder(), "models"), iterations: 8 });
  for (const service of ["trainer", "generator"] as const) {
    // The generator holds two models once there were two.
    const [before, after] = [looks.slice(2, 5), looks.slice(5)].map((some) => some.map((look) => look[service]));
    for (const [measure, slack] of Object.entries({ handles: 0, threads: SLACK, children: 0 }) as [Measure, number][]) {
      const most = (samples: typeof before) => Math.max(...samples!.map((sample) => sample[measure]));
      const more = Math.max(0, most(after) - most(before) - slack);
      expect({ service, measure, more }).toEqual({ service, measure, more: 0 });
    }
  }
}, 400_000);
