import { mkdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { numberedJpeg, numberedRows, type PickAPicRow, writePickAPic } from "../../bench/data/pick-a-pic.js";
import { useTemporaryFolder } from "../../test/support/temporary-folder.js";
import { SpinError } from "../errors.js";
import { decodeImage } from "./image.js";
import { openDataset, openPreferences, openPromptList } from "./open-dataset.js";

const folder = useTemporaryFolder();
const folders = () => ({ dataDir: join(folder(), "data"), indexDir: join(folder(), "index") });
const at = (...path: string[]) => join(folder(), "data", ...path);
const open = (name: string, split: "train" | "validation" | "test" = "train") =>
  openDataset(name, split, { folders: folders() });

async function thrown(promise: Promise<unknown>): Promise<SpinError> {
  const error: unknown = await promise.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(SpinError);
  return error as SpinError;
}

describe("parquet files of Pick-a-Pic", () => {
  it("give the winners of all shards in order, and pairs with the loser second", async () => {
    const rows = await numberedRows(23, { captions: 20 });
    await writePickAPic(at("pap"), "train-00000-of-00002.parquet", rows.slice(0, 15));
    await writePickAPic(at("pap"), "train-00001-of-00002.parquet", rows.slice(15));
    const [set, pairs] = [await open("pap"), await openPreferences("pap", "train", { folders: folders() })];
    const judged = rows.filter(({ label }) => label !== 0.5);
    expect([set.size, pairs.size, set.report.rowsRead, set.report.ties]).toEqual([19, 19, 23, 4]);
    expect(set.report.repeatedPrompts).toBe(19 - new Set(judged.map(({ caption }) => caption)).size);
    for (const [i, { caption, label, jpg_0, jpg_1 }] of judged.entries()) {
      const [winner, loser] = label === 1 ? [jpg_0, jpg_1] : [jpg_1, jpg_0];
      const [item, pair] = [set.item(i), pairs.pair(i)];
      expect([item.caption, pair.caption]).toEqual([caption, caption]);
      expect((await item.image()).data).toEqual((await decodeImage(winner)).data);
      expect((await pair.winner()).data).toEqual((await decodeImage(winner)).data);
      expect((await pair.loser()).data).toEqual((await decodeImage(loser)).data);
      expect(pair.keys[0]).toBe(item.key);
    }
    expect(set.digest).not.toBe(pairs.digest);
    expect(set.files.map(({ path }) => path)).toEqual(["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]);
  });

  it("count ties, unjudged and broken rows, and tell broken ones by file and row", async () => {
    const rows: PickAPicRow[] = await numberedRows(8);
    const cut = rows[1]!.jpg_1.subarray(0, 300);
    rows[1] = { ...rows[1]!, label: 0, jpg_1: cut };
    rows[2] = { ...rows[2]!, label: 0, jpg_0: Buffer.from("no picture") };
    rows[3] = { ...rows[3]!, label: undefined };
    rows[5] = { ...rows[5]!, caption: undefined, label: 1 };
    rows[6] = { ...rows[6]!, label: 0.7 };
    await writePickAPic(at("pap"), "train.parquet", rows, { rowGroupSize: 3 });
    const { report, size } = await open("pap");
    expect(report).toMatchObject({ rowsRead: 8, rowsUsed: 3, ties: 1, unlabelled: 1, broken: 3 });
    expect(size).toBe(3);
    expect(report.examples).toEqual([
      { file: "train.parquet", row: 1, problem: expect.stringMatching(/^jpg_1, the winner: not a readable picture/) },
      { file: "train.parquet", row: 5, problem: "no caption" },
      { file: "train.parquet", row: 6, problem: "label_0 is 0.7, expected 0, 0.5 or 1" },
    ]);
    // The loser alone is broken: the picture of the winner counts, the pair does not.
    const pairs = await openPreferences("pap", "train", { folders: folders() });
    expect([pairs.size, pairs.report.broken]).toEqual([2, 4]);
    expect(pairs.report.examples.map(({ row }) => row)).toEqual([1, 2, 5, 6]);
  });

  it("tell parts by the names of files, and take the unique prompts to evaluate on", async () => {
    const rows = await numberedRows(6);
    await writePickAPic(at("pap", "data"), "train-00000-of-00001-0a.parquet", rows);
    await writePickAPic(at("pap", "data"), "validation-00000-of-00001-0b.parquet", rows);
    await writePickAPic(at("pap", "data"), "validation_unique-00000-of-00001-0c.parquet", rows.slice(0, 3));
    expect([(await open("pap")).size, (await open("pap", "validation")).size]).toEqual([5, 3]);
    const missing = await thrown(open("pap", "test"));
    expect(missing.kind).toBe("notFound");
    expect(missing.message).toContain('the data set "pap" has no test part');
  });

  it("name a column that is missing, with those that are there", async () => {
    await writePickAPic(at("pap"), "train.parquet", await numberedRows(3), { without: ["label_0", "jpg_1"] });
    const error = await thrown(open("pap"));
    expect(error.kind).toBe("invalid");
    expect(error.message).toMatch(
      /train\.parquet: expected the columns jpg_1, label_0, there are are_different, caption/,
    );
  });

  it("say that captions are numbers where they are", async () => {
    await writePickAPic(at("pap"), "train.parquet", await numberedRows(2), { numbersForCaptions: true });
    await expect(open("pap")).rejects.toThrow(/a caption of the type number, expected a text/);
  });

  it("refuse a damaged file by name, and one without a row to use with what became of the rows", async () => {
    await mkdir(at("bad"), { recursive: true });
    await writeFile(at("bad", "train.parquet"), "PAR1 this is no parquet PAR1");
    expect(await thrown(open("bad"))).toMatchObject({
      kind: "corrupt",
      message: expect.stringContaining("train.parquet"),
    });
    const ties = (await numberedRows(4)).map((row) => ({ ...row, label: 0.5 }));
    await writePickAPic(at("ties"), "train.parquet", ties);
    const empty = await thrown(open("ties"));
    expect(empty.message).toContain("is empty: 0 of 4 rows are used, 4 are ties, 0 unlabelled, 0 broken");
  });

  it("are looked through once: an index tells the rest until a file is touched", async () => {
    await writePickAPic(at("pap"), "train.parquet", await numberedRows(3));
    const file = at("pap", "train.parquet");
    const time = new Date(1_700_000_000_000);
    await utimes(file, time, time);
    const first = await open("pap");
    // Behind the index's back, with the same size and time: what it says is still taken.
    await writeFile(file, Buffer.alloc((await readFile(file)).length));
    await utimes(file, time, time);
    expect((await open("pap")).digest).toBe(first.digest);
    await writePickAPic(at("pap"), "train.parquet", await numberedRows(5));
    expect((await open("pap")).digest).not.toBe(first.digest);
  });
});

describe("folders of pictures", () => {
  it("take captions from metadata.jsonl in its order and tell lines that cannot be used", async () => {
    await mkdir(at("set", "train", "more"), { recursive: true });
    await writeFile(at("set", "train", "b.jpg"), await numberedJpeg(1));
    await writeFile(at("set", "train", "more", "a.jpg"), await numberedJpeg(2));
    await writeFile(at("set", "train", "cut.jpg"), (await numberedJpeg(3)).subarray(0, 200));
    await writeFile(join(folder(), "outside.jpg"), await numberedJpeg(4));
    await symlink(join(folder(), "outside.jpg"), at("set", "train", "link.jpg"));
    const lines = [
      { file_name: "b.jpg", text: "two birds" },
      { file_name: "more/a.jpg", caption: " one bird " },
      "",
      "{oops",
      { file_name: "cut.jpg", text: "cut" },
      { file_name: "gone.jpg", text: "gone" },
      { file_name: "../../../outside.jpg", text: "outside" },
      { file_name: "link.jpg", text: "outside" },
      { file_name: "b.jpg" },
    ];
    const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
    await writeFile(at("set", "train", "metadata.jsonl"), text);
    const set = await open("set");
    expect([0, 1].map((i) => set.item(i).caption)).toEqual(["two birds", " one bird "]);
    expect((await set.item(1).image()).data).toEqual((await decodeImage(await numberedJpeg(2))).data);
    expect(set.report).toMatchObject({ kind: "image-folder", rowsRead: 8, rowsUsed: 2, broken: 6 });
    expect(set.report.examples.map(({ row }) => row)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(set.report.examples.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("not JSON"),
      expect.stringContaining("cut.jpg: not a readable picture"),
      expect.stringContaining("gone.jpg does not exist"),
      expect.stringContaining("expected a path below its folder"),
      expect.stringContaining("leads out of its folder by a symbolic link"),
      expect.stringContaining("no caption"),
    ]);
    expect((await thrown(open("set", "test"))).message).toContain("there are train");
  });

  it("take captions from text files beside the pictures, by path", async () => {
    await mkdir(at("set", "b"), { recursive: true });
    for (const [i, name] of ["c", "a", "b/d"].entries()) {
      await writeFile(at("set", `${name}.jpg`), await numberedJpeg(i));
      if (name !== "c") await writeFile(at("set", `${name}.txt`), `caption of ${name}\n`);
    }
    const set = await open("set");
    expect([0, 1].map((i) => set.item(i).caption)).toEqual(["caption of a", "caption of b/d"]);
    expect(set.report.examples).toEqual([{ file: "c.jpg", row: 2, problem: "no caption: there is no c.txt" }]);
    expect((await thrown(open("set", "validation"))).message).toContain("all of it is train");
    expect((await thrown(openPreferences("set", "train", { folders: folders() }))).message).toContain("no pairs");
  });

  it("are known by content: renamed pictures are the same data, others are not", async () => {
    for (const [name, file, number] of [
      ["one", "a", 1],
      ["two", "b", 1],
      ["three", "a", 2],
    ] as const) {
      await mkdir(at(name), { recursive: true });
      await writeFile(at(name, `${file}.jpg`), await numberedJpeg(number));
      await writeFile(at(name, `${file}.txt`), "a bird");
    }
    const [one, two, three] = [await open("one"), await open("two"), await open("three")];
    expect(two.digest).toBe(one.digest);
    expect(two.item(0).key).toBe(one.item(0).key);
    expect(three.digest).not.toBe(one.digest);
  });
});

describe("lists of prompts", () => {
  const prompts = async (name: string) => (await openPromptList(name, folders()))!;

  it("are read from text, JSON lines, PartiPrompts with literal quotes and HPSv2 by style", async () => {
    await mkdir(at("hps"), { recursive: true });
    await writeFile(at("a.txt"), "\uFEFFfirst\r\n\r\n  second \n");
    await writeFile(at("b.jsonl"), '{"prompt":"p","category":"c"}\n"plain"\n{"text":"t"}\n{}\n[1\n');
    const header = "Prompt\tCategory\tChallenge\tNote\n";
    await writeFile(at("PartiPrompts.tsv"), `${header}a sign "Deep" \tSigns\tx\t\n"quoted" start\tArt\ty\tz\n\t\t\t\n`);
    await writeFile(at("hps", "photo.json"), '["p1","p2"]');
    await writeFile(at("hps", "anime.json"), '["a1",7]');
    expect((await prompts("a.txt")).prompts).toEqual([{ prompt: "first" }, { prompt: "  second " }]);
    const lines = await prompts("b.jsonl");
    expect(lines.prompts).toEqual([{ prompt: "p", category: "c" }, { prompt: "plain" }, { prompt: "t" }]);
    expect(lines.report).toMatchObject({ rowsRead: 5, rowsUsed: 3, broken: 2 });
    expect(lines.report.examples.map(({ row }) => row)).toEqual([4, 5]);
    const parti = await prompts("PartiPrompts.tsv");
    expect(parti.prompts).toEqual([
      { prompt: 'a sign "Deep" ', category: "Signs" },
      { prompt: '"quoted" start', category: "Art" },
    ]);
    expect(parti.report.examples).toEqual([{ file: "PartiPrompts.tsv", row: 3, problem: "no prompt" }]);
    const hps = await prompts("hps");
    expect(hps.prompts.map(({ prompt, category }) => `${category}: ${prompt}`)).toEqual([
      "anime: a1",
      "photo: p1",
      "photo: p2",
    ]);
    expect(hps.report.examples).toEqual([{ file: "anime.json", row: 1, problem: "expected a text, came number" }]);
  });

  it("refuse an empty list and a table without prompts", async () => {
    await mkdir(at(), { recursive: true });
    await writeFile(at("empty.txt"), "\n\n");
    await writeFile(at("table.tsv"), "Text\tStyle\nx\ty\n");
    expect((await thrown(prompts("empty.txt"))).message).toContain('the prompt list "empty.txt" is empty');
    expect((await thrown(prompts("table.tsv"))).message).toContain("expected a column Prompt, there are text, style");
    expect((await thrown(open("empty.txt"))).message).toContain("expected a folder of pictures");
  });
});

it("names what there is when asked for what is not there, and leaves its folder for nothing", async () => {
  await mkdir(at("mine"), { recursive: true });
  const error = await thrown(open("pickapic"));
  expect(error.kind).toBe("notFound");
  expect(error.message).toMatch(/no data set "pickapic" under .*data; built in is emoji; in that folder is mine/);
  expect((await thrown(open("../index"))).kind).toBe("invalid");
});
