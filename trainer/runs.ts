import type { DataFolders } from "../core/data/data-folder.js";
import type { DiskRoom } from "../core/service/disk-room.js";
import type { DatasetRef } from "../proto/gen/spin/v1/common.js";
import { JobState } from "../proto/gen/spin/v1/common.js";
import { CreateRunRequest, type Iteration, type Run } from "../proto/gen/spin/v1/trainer_service.js";
import type { BaseModels } from "./base-models.js";
import { findDataset } from "./datasets.js";
import { findRepeated, originOf } from "./jobs/records.js";
import type { RunStore } from "./jobs/run-store.js";
import type { CheckedRunRequest } from "./requests.js";
import { Serial } from "./serial.js";
import { timestampNow } from "./timestamps.js";

/** The runs of this trainer. */
export class Runs {
  readonly #store: RunStore;
  readonly #models: BaseModels;
  readonly #disk: DiskRoom;
  readonly #data: DataFolders;
  readonly #creating = new Serial();

  constructor(store: RunStore, models: BaseModels, disk: DiskRoom, data: DataFolders) {
    this.#store = store;
    this.#models = models;
    this.#disk = disk;
    this.#data = data;
  }

  /** A data set of a run, as an objective takes it. @throws SpinError as `findDataset` */
  async dataset(ref: DatasetRef, kind: "pictures" | "pairs"): Promise<DatasetRef> {
    return (await findDataset(ref, kind, this.#data)).ref;
  }

  /** @throws SpinError as `findRepeated`, `DiskRoom.require`, `BaseModels.find` and `findDataset` */
  create(request: CheckedRunRequest): Promise<Run> {
    return this.#creating.run(async () => {
      const { requestId, displayName, seed } = request;
      const origin = originOf(requestId, CreateRunRequest.toJSON({ ...request, requestId: "" }));
      const repeated = findRepeated(this.#store.runs, origin);
      if (repeated !== undefined) return this.get(repeated.run.runId);
      await this.#disk.require();
      const { ref: base } = await this.#models.find(request.base);
      const { ref: dataset, report, files } = await findDataset(request.dataset, "pictures", this.#data);
      const run: Run = {
        runId: this.#store.nextRunId(),
        displayName,
        base,
        dataset,
        seed,
        latestCheckpointDigest: base.digest,
        createTime: timestampNow(),
        data: report,
      };
      await this.#store.putDataManifest(run.runId, { ...dataset, report, files });
      await this.#store.putRun({ origin, run });
      return run;
    });
  }

  /** A run as it stands. @throws SpinError "notFound" */
  get(runId: string): Run {
    const { run } = this.#store.run(runId);
    // Told by the iterations, so that no crash between two files can make it untrue.
    const latest = this.succeeded(runId).at(-1)?.checkpointDigest;
    return { ...run, latestCheckpointDigest: latest ?? run.base!.digest };
  }

  /** Oldest first. */
  list(): Run[] {
    return this.#store.runs.map(({ run }) => this.get(run.runId));
  }

  /** By number, attempts at the same number in their order. */
  iterations(runId: string): Iteration[] {
    this.#store.run(runId);
    return this.#store.iterationsOf(runId).map(({ iteration }) => iteration);
  }

  /** Those that led from the base to where the run is now. */
  succeeded(runId: string): Iteration[] {
    return this.iterations(runId).filter(({ state }) => state === JobState.JOB_STATE_SUCCEEDED);
  }
}
