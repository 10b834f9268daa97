import { serveProcess } from "../runtime/process-host.js";
import type { ParquetMethods } from "./parquet-contract.js";
import { ParquetReader } from "./parquet-reader.js";

/** Runs in a process of its own: reads parquet files, one call after another. */

/** Footers are kept of so many files: a data set's rows are drawn from all its shards in turn. */
const MOST_OPEN = 64;
const opened = new Map<string, Promise<ParquetReader>>();

function openFile(path: string): Promise<ParquetReader> {
  const file = ParquetReader.open(path);
  opened.delete(path);
  opened.set(path, file);
  file.catch(() => opened.delete(path));
  if (opened.size > MOST_OPEN) opened.delete(opened.keys().next().value!);
  return file;
}

const kept = (path: string) => opened.get(path) ?? openFile(path);

const methods: ParquetMethods = {
  async open(path) {
    const { rows, groups, columns } = await openFile(path);
    return { rows, groups, columns };
  },
  async read({ path, column, range, pages }) {
    return (await kept(path)).read(column, range, pages);
  },
  async pages({ path, column }) {
    return (await kept(path)).pages(column);
  },
};

serveProcess(methods);
