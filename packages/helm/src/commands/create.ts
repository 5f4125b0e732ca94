import { mkdir, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { toYaml } from "@boxship/api/yaml";
import { AlreadyExists, InvalidArgument } from "@boxship/base/errors";
import { str } from "@boxship/kubectl/flags";
import { loadChart, readFolder } from "../chart/load-chart.ts";
import { defineCommand, type Surroundings } from "../command.ts";
import { SCAFFOLD } from "../scaffold/files.ts";

export const command = defineCommand({
  usage: "NAME [flags]",
  summary: "Make a folder with a new chart",
  operands: { min: 1, max: 1 },
  flags: { starter: str("", { short: "p" }) },
  async run(surroundings, { flags, operands }) {
    const folder = (operands[0] ?? "").replace(/\/+$/, "");
    const name = basename(folder);
    if (!/^[a-zA-Z0-9._-]+$/.test(name) || name.length > 250) {
      throw new InvalidArgument(
        `chart name ${JSON.stringify(name)} is invalid: letters, digits, '.', '_' and '-' may stand in it`,
      );
    }
    const info = await stat(folder).catch(() => undefined);
    if (info !== undefined && !info.isDirectory())
      throw new AlreadyExists(`file ${folder} already exists and is not a directory`);
    surroundings.print(`Creating ${folder}`);
    await mkdir(join(folder, "charts"), { recursive: true });
    const files = flags.starter === "" ? scaffold(name) : await starterFiles(flags.starter, name, surroundings);
    for (const [path, content] of files) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { flag: "wx" }).catch((error: unknown) => {
        throw new AlreadyExists(`file ${target} already exists`, { cause: error });
      });
    }
  },
});

type Files = readonly (readonly [path: string, content: string | Buffer])[];

const scaffold = (name: string): Files =>
  Object.entries(SCAFFOLD).map(([path, text]) => [path, text.replaceAll("NAME", () => name)]);

/** A chart that stands among the user's starters, or anywhere: it says its name as `<CHARTNAME>`. */
async function starterFiles(starter: string, name: string, { io: { env } }: Surroundings): Promise<Files> {
  const share = env["XDG_DATA_HOME"] ?? join(env["HOME"] ?? homedir(), ".local/share");
  const home = env["HELM_DATA_HOME"] ?? join(share, "helm");
  const path = isAbsolute(starter) ? starter : join(home, "starters", starter);
  await loadChart(path);
  const metadata = {
    apiVersion: "v2",
    appVersion: "0.1.0",
    description: "A Helm chart for Kubernetes",
    name,
    type: "application",
    version: "0.1.0",
  };
  return (await readFolder(path)).map(({ name: file, data }) => {
    if (file === "Chart.yaml") return [file, toYaml(metadata)];
    const isText = file.startsWith("templates/") || file === "values.yaml";
    return [file, isText ? data.toString("utf8").replaceAll("<CHARTNAME>", () => name) : data];
  });
}
