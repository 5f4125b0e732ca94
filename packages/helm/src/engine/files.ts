import { bytesType, mapOf, named, stringSliceType, stringType, typed, type Value } from "@boxship/template";
import type { Chart, ChartFile } from "../chart/chart.ts";
import { type Dict, putKey } from "../functions/go-values.ts";
import { toYamlText } from "../functions/yaml.ts";

type Contents = Readonly<Record<string, Buffer>>;

const textOf = (files: Contents, name: string): string =>
  Object.hasOwn(files, name) ? (files[name]?.toString("utf8") ?? "") : "";

const base = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** A map of file names and contents as YAML; nothing where there is none. */
function asMap(files: Contents, write: (content: Buffer) => string): string {
  const result: Dict = {};
  for (const name of Object.keys(files)) putKey(result, base(name), write(files[name] ?? Buffer.alloc(0)));
  return Object.keys(files).length === 0 ? "{}" : toYamlText(result);
}

/** Words of a glob: `*` stays within a folder, `**` does not, `{a,b}` are alternatives. */
function globOf(pattern: string): RegExp {
  let depth = 0;
  const source = pattern.replace(
    /\\(.)|\[(!?)([^\]]*)\]|\*\*|[*?{},.+^$()|[\]\\]/gs,
    (sign, escaped?: string, not?: string, set?: string) => {
      if (escaped !== undefined) return escaped.replace(/\W/g, "\\$&");
      if (set !== undefined) return `[${not === "!" ? "^" : ""}${set.replace(/[[\]\\^]/g, "\\$&")}]`;
      if (sign === "**") return ".*";
      if (sign === "*") return "[^/]*";
      if (sign === "?") return "[^/]";
      if (sign === "{") return (depth++, "(?:");
      if (sign === "}" && depth > 0) return (depth--, ")");
      if (sign === "," && depth > 0) return "|";
      return `\\${sign}`;
    },
  );
  return new RegExp(`^${source}$`, "su");
}

function chosen(files: Contents, pattern: string): Value {
  const glob = globOf(pattern);
  return typed(filesType, Object.fromEntries(Object.entries(files).filter(([name]) => glob.test(name))));
}

const filesType = named("engine.files", mapOf(stringType, bytesType));
const own = {
  Get: { params: [stringType], call: textOf },
  GetBytes: {
    params: [stringType],
    call: (files: Contents, name: string) =>
      typed(bytesType, Object.hasOwn(files, name) ? files[name] : new Uint8Array()),
  },
  Glob: { params: [stringType], call: chosen },
  AsConfig: { params: [], call: (files: Contents) => asMap(files, (content) => content.toString("utf8")) },
  AsSecrets: { params: [], call: (files: Contents) => asMap(files, (content) => content.toString("base64")) },
  Lines: {
    params: [stringType],
    call: (files: Contents, name: string) => {
      const text = textOf(files, name);
      const lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      return typed(stringSliceType, text === "" ? [] : lines);
    },
  },
};
Object.assign(filesType, { methods: own });

/** `.Files` of a chart. */
export function filesValue({ files }: Chart): Value {
  const contents: Record<string, Buffer> = {};
  for (const { name, data } of files satisfies readonly ChartFile[]) contents[name] = data;
  return typed(filesType, contents);
}
