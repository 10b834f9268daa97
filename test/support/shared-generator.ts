import { join } from "node:path";
import type { RunningGenerator } from "../../generator/start.js";
import { startTestGenerator } from "./services.js";
import { useSharedFolder } from "./temporary-folder.js";
import { writeTinyModel } from "./tiny-model.js";

/** One generator for all tests of a file, with a MODEL_DIR that holds the model `tiny`. */
export function useSharedGenerator(): { readonly modelDir: () => string; readonly generator: () => RunningGenerator } {
  const shared = useSharedFolder();
  const modelDir = () => join(shared(), "models");
  let generator: RunningGenerator | undefined;
  beforeAll(async () => {
    await writeTinyModel(join(modelDir(), "tiny"));
    generator = await startTestGenerator(shared(), { modelDir: modelDir() });
  });
  afterAll(() => generator?.stop());
  return { modelDir, generator: () => generator! };
}
