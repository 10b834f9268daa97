import type { RgbImage } from "../../core/data/image.js";
import { serveWorker } from "../../core/runtime/worker-host.js";
import { type RenderSettings, renderPictures } from "./render.js";

/** What `render` is asked for. */
export interface RenderRequest {
  readonly settings: RenderSettings;
  /** Steps done and steps in all, in shared memory: the calling thread reads along. */
  readonly position: Int32Array<SharedArrayBuffer>;
}

/** What `render` answers. */
export interface RenderAnswer {
  readonly pictures: readonly RgbImage[];
  /** What a person should know of how the folder was opened. */
  readonly notes: readonly string[];
}

const methods = {
  /** The pictures of {@link renderPictures}. */
  render: async ({ settings, position }: RenderRequest): Promise<RenderAnswer> => {
    const notes: string[] = [];
    const onStep = (done: number, total: number) => {
      Atomics.store(position, 1, total);
      Atomics.store(position, 0, done);
    };
    return { pictures: await renderPictures(settings, onStep, (note) => notes.push(note)), notes };
  },
};

export type SampleMethods = typeof methods;

serveWorker(methods);
