import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startRegistry } from "@boxship/testkit";
import { type Context, commandLine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { largeImage, manyLayers, timed } from "./pull.ts";

/** The words of one tool, and the program that has them. */
const tools = () => [
  { name: "boxship", program: [...commandLine(), "skopeo"] },
  { name: "skopeo", program: ["skopeo", "--insecure-policy"] },
];
const PLAIN = ["--src-tls-verify=false", "--dest-tls-verify=false"];

async function must(command: readonly string[]): Promise<void> {
  const { status, stderr } = await runProgram(command);
  if (status !== 0) throw new Error(`${command.slice(-6).join(" ")}: ${stderr}`);
}

interface Copied {
  readonly name: string;
  readonly title: string;
  readonly image: (context: Context) => Promise<string>;
  /** Places for one copy, new each time. */
  readonly places: (image: string, fresh: Fresh) => Promise<readonly [from: string, to: string]>;
}

/** Empty places of one round. */
interface Fresh {
  readonly layout: string;
  readonly directory: string;
  readonly registry: () => Promise<string>;
}

function copyBenchmark({ name, title, image, places }: Copied): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [{ side: "boxship", against: "skopeo", atMost: 1 }],
    async prepare(context, stack) {
      const source = await image(context);
      const work = context.work.join(`copies-${name}`);
      await mkdir(work);
      stack.defer(() => rm(work, { recursive: true, force: true }));
      const layout = join(work, "source");
      await must(["skopeo", "--insecure-policy", "copy", ...PLAIN, `docker://${source}`, `oci:${layout}:1`]);
      return tools().map(({ name: tool, program }) => copySide(tool, program, { source, layout, work, stack, places }));
    },
  };
}

interface CopySideOptions extends Pick<Copied, "places"> {
  readonly source: string;
  readonly layout: string;
  readonly work: string;
  readonly stack: AsyncDisposableStack;
}

function copySide(tool: string, program: readonly string[], options: CopySideOptions): Side {
  const { source, layout, work, stack, places } = options;
  const directory = join(work, `target-${tool}`);
  let registry: (AsyncDisposable & { readonly host: string }) | undefined;
  let chosen: readonly [string, string] = ["", ""];
  stack.defer(async () => registry?.[Symbol.asyncDispose]());
  return {
    name: tool,
    before: async () => {
      await rm(directory, { recursive: true, force: true });
      await registry?.[Symbol.asyncDispose]();
      registry = undefined;
      const empty = async () => {
        registry = await startRegistry();
        return `${registry.host}/bench/copied:1`;
      };
      chosen = await places(source, { layout, directory, registry: empty });
      await must(["sync"]);
    },
    measure: () => timed(() => must([...program, "copy", ...PLAIN, ...chosen])),
  };
}

/** A layout's files of layers, in its directory. */
function layersIn(layout: string): readonly string[] {
  const blob = (digest: string) => join(layout, "blobs/sha256", digest.slice("sha256:".length));
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, { digest: string }[]>;
  const [top] = read(join(layout, "index.json"))["manifests"] ?? [];
  return (read(blob(top?.digest ?? ""))["layers"] ?? []).map(({ digest }) => blob(digest));
}

/** What reading an image once costs at least: its layers hashed and decompressed by the programs that every system has. */
const scanBenchmark: Benchmark<Context> = {
  name: "scan",
  title: "bill of materials of an image of 500 MB in a layout, beside sha256sum and gzip on its layers",
  unit: "ms",
  rounds: 5,
  warmUp: 1,
  targets: [{ side: "boxship", against: "read once", atMost: 1 }],
  async prepare(context, stack) {
    const source = await largeImage(context);
    const layout = context.work.join("scanned");
    stack.defer(() => rm(layout, { recursive: true, force: true }));
    await must(["skopeo", "--insecure-policy", "copy", ...PLAIN, `docker://${source}`, `oci:${layout}:1`]);
    const layers = layersIn(layout).join(" ");
    return [
      {
        name: "boxship",
        measure: () =>
          timed(() => must([...commandLine(), "image", "sbom", "-o", `${layout}.json`, `oci:${layout}:1`])),
      },
      {
        name: "read once",
        measure: () => timed(() => must(["sh", "-c", `sha256sum ${layers} && gzip -dc ${layers} >/dev/null`])),
      },
    ];
  },
};

const title = (size: string, way: string) => `copy of ${size} ${way}`;
const SIZES = [
  { suffix: "", size: "10 layers, 500 MB,", image: largeImage },
  { suffix: "-40", size: "40 layers of 1 MB", image: manyLayers },
] as const;

export const copyBenchmarks: readonly Benchmark<Context>[] = [
  ...SIZES.flatMap(({ suffix, size, image }) => [
    copyBenchmark({
      name: `copy-from${suffix}`,
      title: title(size, "from a registry to a layout"),
      image,
      places: async (from, { directory }) => [`docker://${from}`, `oci:${directory}:1`],
    }),
    copyBenchmark({
      name: `copy-to${suffix}`,
      title: title(size, "from a layout to an empty registry"),
      image,
      places: async (_from, { layout, registry }) => [`oci:${layout}:1`, `docker://${await registry()}`],
    }),
    copyBenchmark({
      name: `copy-between${suffix}`,
      title: title(size, "from a registry to an empty one"),
      image,
      places: async (from, { registry }) => [`docker://${from}`, `docker://${await registry()}`],
    }),
  ]),
  scanBenchmark,
];
