import { readdir, readFile } from "node:fs/promises";

/** Models of the NVIDIA GPUs that the driver tells of, by their places on the bus. */
export async function nvidiaGpus(): Promise<string[]> {
  const folder = "/proc/driver/nvidia/gpus";
  const places = await readdir(folder).catch(() => []);
  return Promise.all(
    places.sort().map(async (place) => {
      const information = await readFile(`${folder}/${place}/information`, "utf8").catch(() => "");
      return /^Model:\s*(.*)$/m.exec(information)?.[1] ?? "unknown GPU";
    }),
  );
}
