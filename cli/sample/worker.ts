import type { RgbImage } from "../../core/data/image.js";
import { serveWorker } from "../../core/runtime/worker-host.js";
import { type RenderSettings, renderPictures } from "./render.js";

/** What `render` is asked for. */
export interface RenderRequest {
  readonly settings: RenderSettings;
  /** Steps done and steps in all, in shared memory: the calling thread reads along. */
  readonly position: Int32Array<SharedArrayBuffer>;
}

const methods = {
  /** @returns the pictures of {@link renderPictures} */
  render: ({ settings, position }: RenderRequest): Promise<RgbImage[]> =>
    renderPictures(settings, (done, total) => {
      Atomics.store(position, 1, total);
      Atomics.store(position, 0, done);
    }),
};

export type SampleMethods = typeof methods;

serveWorker(methods);
