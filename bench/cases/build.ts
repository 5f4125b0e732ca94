import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OLD_DOCKER, repositoryRoot, runProgram } from "@boxship/testkit";
import type { Context, Engine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { timed } from "./pull.ts";

/** Three stages, fifteen steps; the last one copies a file that can be changed. */
const containerfile = (image: string): string => `FROM ${image} AS tools
ENV TOOLS=/opt/tools
WORKDIR /opt/tools
RUN for i in 1 2 3 4 5 6 7 8; do echo tool $i > tool$i; done
COPY src /src
RUN cat /src/* > /opt/tools/all

FROM ${image} AS assets
WORKDIR /assets
COPY assets .
RUN for f in *; do md5sum $f; done > sums

FROM ${image}
LABEL bench=yes
WORKDIR /app
COPY --from=tools /opt/tools /opt/tools
COPY --from=assets /assets /app/assets
RUN ls -R /app /opt > /listing
COPY last /app/last
`;

/** A context on the disk and as the archive that Docker's API takes. */
interface BuildContext {
  readonly directory: string;
  readonly archive: () => Promise<Buffer>;
  /** Changes what the last step copies. */
  readonly change: () => Promise<void>;
}

async function makeContext(context: Context): Promise<BuildContext> {
  const directory = context.work.join("build");
  for (const name of ["src", "assets"]) {
    await mkdir(join(directory, name), { recursive: true });
    for (let i = 0; i < 50; i++) await writeFile(join(directory, name, `${i}`), `${name} ${i}\n`.repeat(50));
  }
  await writeFile(join(directory, "Dockerfile"), containerfile(await context.image()));
  let changes = 0;
  const change = () => writeFile(join(directory, "last"), `change ${++changes} ${Date.now()}\n`);
  await change();
  const archive = async () => {
    const path = context.work.join("build.tar");
    const { status, stderr } = await runProgram(["tar", "-C", directory, "-cf", path, "."]);
    if (status !== 0) throw new Error(stderr);
    return readFile(path);
  };
  return { directory, archive, change };
}

async function build({ client }: Engine, archive: Buffer, query: string): Promise<void> {
  const headers = { "content-type": "application/x-tar" };
  const { status, text } = await client.call("POST", `/build?t=bench/built:1&rm=1&${query}`, {
    body: archive,
    headers,
  });
  if (status !== 200 || !text.includes("Successfully built")) throw new Error(`build: ${status} ${text.slice(-500)}`);
}

/** buildah, where it is, on storage of its own with the small image in it. */
async function buildah(context: Context): Promise<readonly string[] | undefined> {
  const places = [join(repositoryRoot, ".cache/parts/root/usr/bin/buildah"), "/usr/bin/buildah"];
  const program = places.find((path) => existsSync(path));
  if (program === undefined) return undefined;
  const policy = context.work.join("policy.json");
  await writeFile(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  const storage = ["--root", context.work.join("buildah"), "--runroot", context.work.join("buildah-run")];
  const base = [program, ...storage, "--storage-driver", "overlay"];
  const image = await context.image();
  const pulled = await runProgram([...base, "pull", "--signature-policy", policy, "--tls-verify=false", image]);
  if (pulled.status !== 0) throw new Error(`buildah pull: ${pulled.stderr}`);
  return [
    ...base,
    "bud",
    "--signature-policy",
    policy,
    "--layers",
    "--pull-never",
    "--runtime",
    "runc",
    "--isolation",
    "oci",
    "-t",
    "bench/built:1",
  ];
}

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly noCache: boolean;
  readonly changes: boolean;
  readonly targets: Benchmark<Context>["targets"];
}

const KINDS: readonly Kind[] = [
  {
    name: "build-cold",
    title: "build of 15 steps in three stages, nothing cached",
    noCache: true,
    changes: false,
    targets: [
      { side: "boxship", against: "docker", atMost: 1 },
      { side: "boxship", against: "buildah", atMost: 1 },
    ],
  },
  {
    name: "build-cached",
    title: "the same, everything cached",
    noCache: false,
    changes: false,
    targets: [
      { side: "boxship", against: "docker", atMost: 1 },
      { side: "boxship", against: "buildah", atMost: 1 / 3 },
    ],
  },
  {
    name: "build-changed",
    title: "the same, with the file of the last step changed",
    noCache: false,
    changes: true,
    targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  },
];

function buildBenchmark({ name, title, noCache, changes, targets = [] }: Kind): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 7,
    warmUp: 1,
    targets,
    async prepare(context, stack) {
      const source = await makeContext(context);
      const engines = await context.engines();
      const before = changes ? source.change : () => Promise.resolve();
      const sides: Side[] = engines.map((engine) => {
        let archive: Buffer = Buffer.alloc(0);
        stack.defer(async () => void (await engine.client.call("DELETE", "/images/bench/built:1?force=1")));
        return {
          name: engine.name,
          before: async () => {
            await before();
            archive = await source.archive();
          },
          measure: () => timed(() => build(engine, archive, noCache ? "nocache=1" : "")),
        };
      });
      const other = await buildah(context);
      if (other === undefined) return sides;
      const command = [...other, ...(noCache ? ["--no-cache"] : []), source.directory];
      const measure = () =>
        timed(async () => {
          const { status, stderr } = await runProgram(command);
          if (status !== 0) throw new Error(`buildah: ${stderr.slice(-500)}`);
        });
      return [...sides, { name: "buildah", before, measure }];
    },
  };
}

/** The same through Docker's own client, its start included: by the classic builder, and by BuildKit's services. */
const CLIENTS = [
  { suffix: "classic", title: "through the docker command, classic builder", buildkit: "0" },
  { suffix: "buildkit", title: "through the docker command, BuildKit", buildkit: "1" },
] as const;

function clientBenchmark(kind: Kind, { suffix, title, buildkit }: (typeof CLIENTS)[number]): Benchmark<Context> {
  return {
    name: `${kind.name}-${suffix}`,
    title: `${kind.title}, ${title}`,
    unit: "ms",
    rounds: 7,
    warmUp: 1,
    targets: [{ side: "boxship", against: "docker", atMost: 1 }],
    async prepare(context, stack) {
      const source = await makeContext(context);
      const flags = kind.noCache ? ["--no-cache"] : [];
      return (await context.engines()).map((engine): Side => {
        stack.defer(async () => void (await engine.client.call("DELETE", "/images/bench/built:1?force=1")));
        const env = { DOCKER_HOST: `unix://${engine.client.socketPath}`, DOCKER_BUILDKIT: buildkit };
        const command = [OLD_DOCKER, "build", "-q", "-t", "bench/built:1", ...flags, source.directory];
        return {
          name: engine.name,
          before: kind.changes ? source.change : () => Promise.resolve(),
          measure: () =>
            timed(async () => {
              const { status, stderr } = await runProgram(command, { env });
              if (status !== 0) throw new Error(`docker build: ${stderr.slice(-500)}`);
            }),
        };
      });
    },
  };
}

export const buildBenchmarks: readonly Benchmark<Context>[] = [
  ...KINDS.map(buildBenchmark),
  ...CLIENTS.flatMap((client) => KINDS.map((kind) => clientBenchmark(kind, client))),
];
