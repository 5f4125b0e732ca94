import { equal, ok } from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { readCase, runHere, writeFiles } from "./testing/chart-cases.ts";

const folder = new URL("./testdata/charts/", import.meta.url);

/** With this set, what is printed becomes what is wanted; look at the difference before it is kept. */
const RECORD = process.env["RECORD"] === "1";

describe("charts give what they should", () => {
  for (const name of readdirSync(folder)) {
    test(name, async () => {
      await using home = tempDir("helm");
      const file = new URL(name, folder);
      const { args, files, want } = readCase(readFileSync(file, "utf8"));
      writeFiles(home.path, files);
      const words = args.map((word) => (word === "." ? home.path : /^more\.yaml$/.test(word) ? home.join(word) : word));
      const { status, stdout, stderr } = await runHere(words);
      const got = `${stdout}${stderr === "" ? "" : `== stderr\n${stderr}`}== ${status}\n`.replaceAll(home.path, ".");
      if (RECORD) writeFileSync(file, `${readFileSync(file, "utf8").split("-- want --\n")[0] ?? ""}-- want --\n${got}`);
      else {
        ok(want !== undefined);
        equal(got, want);
      }
    });
  }
});
