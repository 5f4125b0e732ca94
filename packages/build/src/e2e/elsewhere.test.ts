import assert from "node:assert/strict";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type Boxship,
  type Dockerd,
  dockerCli,
  OLD_DOCKER,
  openPodman,
  type Podman,
  type Ran,
  runProgram,
  startBoxship,
  startDockerd,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { corpus } from "../testing/corpus.ts";

/** Everything that an image can have which another engine could read in another way. */
const FILE = `FROM busybox AS base
RUN mkdir -p /gone /kept/below /replaced && touch /gone/a /kept/a /kept/below/b /replaced/old
RUN echo 'me:x:1001:1002::/home/me:/bin/sh' >> /etc/passwd && echo 'us:x:1002:me' >> /etc/group
FROM base
RUN rm -r /gone /kept/a && rm -r /replaced && mkdir /replaced && touch /replaced/new
RUN ln /kept/below/b /hard && ln -s /kept /link && mkfifo /fifo && chmod 4755 /hard && chmod 1777 /replaced
COPY --chown=me:us tree /tree/
RUN mkdir /data && echo data > /data/f && chown -R me:us /data
COPY cat /
ENV A="a b" EMPTY=
WORKDIR /tree/deep
USER me
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK CMD true
LABEL l=m
EXPOSE 80/tcp
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["id; pwd; echo $A $HOME [\${EMPTY-unset}]; cat /data/f; echo more >> /data/f; /cat /proc/self/status | grep CapPrm"]
`;

/** What stands there, but for busybox's own links and what each engine puts into a container. */
const OWN = "/bin /sbin /usr /proc /sys /dev /etc /run /.dockerenv"
  .split(" ")
  .map((path) => `-path ${path}`)
  .join(" -o ");
const LIST =
  `find / -xdev \\( ${OWN} \\) -prune -o ! -path / -exec stat -c '%n %F %a %u:%g %h' {} + | ` +
  `sed 's/\\(directory .*\\) [0-9]*$/\\1/' | sort; find / -xdev \\( ${OWN} \\) -prune -o -type f -exec md5sum {} + | sort`;

/** Runs an image that was given a name. */
type Run = (image: string, args: readonly string[], flags?: readonly string[]) => Promise<Ran>;

describe("images that were built here run elsewhere as they run here", () => {
  const stack = new AsyncDisposableStack();
  let work: TempDir;
  let boxship: Boxship;
  let dockerd: Dockerd;
  let podman: Podman;
  let context: string;
  let engines: Readonly<Record<string, Run>>;

  before(async () => {
    work = stack.use(tempDir("elsewhere"));
    context = makeContext();
    [boxship, dockerd, podman] = await Promise.all([startBoxship(), startDockerd(), openPodman()]);
    for (const engine of [boxship, dockerd, podman]) stack.use(engine);
    await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    const inDocker =
      (socketPath: string): Run =>
      (image, args, flags = []) =>
        docker(socketPath, ["run", "--rm", "--network", "none", ...flags, image, ...args]);
    engines = {
      here: inDocker(boxship.socketPath),
      docker: inDocker(dockerd.socketPath),
      podman: (image, args, flags = []) => podman.run([...flags, image, ...args]),
    };
  });
  after(() => stack.disposeAsync());

  const docker = (socketPath: string, args: readonly string[]) =>
    runProgram([OLD_DOCKER, ...args], { env: { DOCKER_HOST: `unix://${socketPath}`, DOCKER_BUILDKIT: "0" } });

  function ok({ status, stdout, stderr }: Ran): string {
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  }

  /** Runs it everywhere; what is said must be the same. */
  async function same(image: string, args: readonly string[] = [], flags: readonly string[] = []): Promise<string> {
    const said = await Promise.all(Object.values(engines).map(async (run) => ok(await run(image, args, flags))));
    const [here = "", ...others] = said;
    for (const [index, other] of others.entries())
      assert.deepEqual(other.split("\n"), here.split("\n"), `${image} by ${Object.keys(engines)[index + 1]}`);
    return here;
  }

  function makeContext(): string {
    const directory = work.join("context");
    for (const file of ["tree/deep/f", `tree/${"long".repeat(50)}/${"name".repeat(50)}`]) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), file);
    }
    linkSync(join(directory, "tree/deep/f"), join(directory, "tree/again"));
    symlinkSync("deep/f", join(directory, "tree/to-f"));
    writeFileSync(join(directory, "Dockerfile"), FILE);
    return directory;
  }

  test("users, entry points, volumes, links, modes, capabilities, and what later layers remove", async () => {
    const directory = context;
    ok(
      await runProgram([
        "sh",
        "-c",
        `cp "$(command -v busybox)" ${directory}/cat; setcap cap_net_raw=ep ${directory}/cat`,
      ]),
    );
    const some = corpus().filter(({ name }) => /^(?:run-replaces-dir)$/.test(name));
    ok(await docker(boxship.socketPath, ["build", "-t", "all:1", directory]));
    for (const { name, directory: path } of some)
      ok(await docker(boxship.socketPath, ["build", "-t", `${name}:1`, "-f", join(path, "Containerfile"), path]));
    const names = ["all:1", ...some.map(({ name }) => `${name}:1`)];
    const archive = work.join("saved.tar");
    ok(await docker(boxship.socketPath, ["save", "-o", archive, ...names]));
    ok(await docker(dockerd.socketPath, ["load", "-q", "-i", archive]));
    ok(await podman.call(["load", "-q", "-i", archive]));
    const said = await same("all:1");
    assert.match(said, /^uid=1001\(me\) gid=1002\(us\) groups=1002\(us\)\n\/tree\/deep\na b \/home\/me \[\]\ndata\n/);
    assert.match(said, /CapPrm:\s+0*2000$/m);
    await Promise.all(names.map((name) => same(name, ["-c", LIST], ["-u", "0", "--entrypoint", "/bin/sh"])));
  });

  const buildx = dockerCli("/nowhere");
  test("layers that are compressed with zstd", {
    skip: buildx === undefined ? "no current client" : false,
  }, async () => {
    const cli = dockerCli(boxship.socketPath);
    const archive = work.join("zstd.tar");
    const output = `type=oci,dest=${archive},compression=zstd,force-compression=true,name=zstd:1`;
    ok((await cli?.(["buildx", "build", "-o", output, context])) as Ran);
    assert.match(ok(await podman.call(["load", "-q", "-i", archive])), /zstd:1/);
    ok(await docker(boxship.socketPath, ["load", "-q", "-i", archive]));
    const said = await Promise.all(
      ["here", "podman"].map(async (name) => ok((await engines[name]?.("zstd:1", [LIST], ["-u", "0"])) as Ran)),
    );
    assert.deepEqual(said[0]?.split("\n"), said[1]?.split("\n"));
  });
});
