import assert from "node:assert/strict";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BuildError } from "../contract.ts";
import { ContainerfileError } from "../language/index.ts";
import { openTestBuilder, type TestBuilder, type TestBuilderOptions } from "./open-builder.ts";

/** What the builder promises, whatever runs its commands. */
export function builderSuite(name: string, how: TestBuilderOptions = {}): void {
  describe(name, () => {
    let builder: TestBuilder;
    before(async () => {
      builder = await openTestBuilder(how);
    });
    after(() => builder[Symbol.asyncDispose]());

    /** What is left of builds: containers' file systems, networks, processes. */
    const leftovers = async () => ({
      roots: builder.engine.parts.snapshotter.listContainers(),
      sandboxes: builder.engine.parts.network.listSandboxes().map(({ id }) => id),
      runtime: await builder.engine.parts.runtime.listLeftovers(),
    });

    test("a build of several stages gives an image, and the same one from the cache", async () => {
      const context = await builder.context({ "src/a.txt": "hello\n", "b.txt": "b" });
      const file = `
      ARG BASE=busybox
      FROM $BASE AS build
      ARG VERSION=1.2
      ENV A=1 B="two words"
      WORKDIR /work
      COPY src/ ./src/
      RUN echo "v=$VERSION $A $B" > out && cat src/a.txt >> out
      FROM busybox AS unused
      RUN false
      FROM busybox
      COPY --from=build /work/out /out
      COPY --chown=1000:1001 --chmod=640 b.txt /data/
      LABEL x=y
      CMD ["/out"]`;
      const first = await builder.build(file, { context });
      assert.equal(first.cached.filter((text) => !/^(?:FROM|ARG BASE)/.test(text)).length, 0);
      assert.ok(!first.done.includes("RUN false"), "a stage that nobody needs is not built");
      const listed = await builder.run(first.imageId, "cat /out; stat -c '%a %u:%g %s' /data/b.txt");
      assert.equal(listed, "v=1.2 1 two words\nhello\n640 1000:1001 1\n");
      const second = await builder.build(file, { context });
      assert.deepEqual(second.done, []);
      assert.equal(second.imageId, first.imageId);
      const { config } = builder.engine.parts.images.store.resolve(first.imageId);
      assert.deepEqual(config.config?.Labels, { x: "y" });
      assert.deepEqual(config.config?.Cmd, ["/out"]);
      const own = (config.history ?? []).slice(1);
      assert.deepEqual(
        own.map(({ empty_layer }) => empty_layer === true),
        [false, false, true, true],
      );
    });

    test("the cache goes by content, not by time", async () => {
      const context = await builder.context({ "a.txt": "one", "other.txt": "x" });
      const file = "FROM busybox\nCOPY a.txt /a\nRUN cat /a\n";
      await builder.build(file, { context });
      await writeFile(join(context, "a.txt"), "one");
      await writeFile(join(context, "other.txt"), "changed");
      assert.deepEqual((await builder.build(file, { context })).done, []);
      await writeFile(join(context, "a.txt"), "two");
      const changed = await builder.build(file, { context });
      assert.deepEqual(changed.done, ["COPY a.txt /a", "RUN cat /a"]);
      assert.equal(changed.output, "two");
      const again = await builder.build(file, { context, noCache: true });
      assert.deepEqual(again.done, ["COPY a.txt /a", "RUN cat /a"]);
    });

    test("a build argument counts from the first command that could see it", async () => {
      const file = "FROM busybox\nRUN echo before\nARG WHO=me\nRUN echo hi $WHO\n";
      await builder.build(file);
      const other = await builder.build(file, { args: { WHO: "you" } });
      assert.deepEqual([other.done, other.output], [["RUN echo hi $WHO"], "hi you\n"]);
      const history = builder.engine.parts.images.store.resolve(other.imageId).config.history ?? [];
      assert.equal(history.at(-1)?.created_by, "|1 WHO=you /bin/sh -c echo hi $WHO");
    });

    test("a command that fails is told with its lines, output and exit code, and leaves nothing", async () => {
      const clean = await leftovers();
      const file = "FROM busybox\n\nRUN echo fine && \\\n    echo broken >&2; exit 7\n";
      await assert.rejects(builder.build(file), (error: unknown) => {
        assert.ok(error instanceof BuildError);
        assert.equal(
          error.message,
          "The command '/bin/sh -c echo fine &&     echo broken >&2; exit 7' returned a non-zero code: 7",
        );
        const { exitCode, output, lines, excerpt } = error.failure;
        assert.deepEqual([exitCode, output, lines], [7, "fine\nbroken\n", [3, 4]]);
        assert.deepEqual(
          excerpt.map(({ line, failed }) => [line, failed]),
          [
            [1, false],
            [2, false],
            [3, true],
            [4, true],
            [5, false],
          ],
        );
        return true;
      });
      assert.deepEqual(await leftovers(), clean);
    });

    test("what an instruction cannot mean is told with its line and a remedy", async () => {
      const context = await builder.context({ f: "" });
      await symlink("loop", join(context, "loop"));
      const made = "FROM busybox AS a\nRUN touch /f && ln -s l /l\n";
      const long = "n".repeat(300);
      for (const [file, message, remedy] of [
        ["RUN --mount=type=cache,target=/x,uid=root true", /invalid value root for uid/, /uid=1000/],
        ["INCLUDE .", /INCLUDE \. names no file/, /path of a file/],
        ["STOPSIGNAL NOSUCH", /Invalid signal: NOSUCH/, /SIGTERM/],
        ["COPY --chown=nosuch f /", /unable to find user nosuch/, /\/etc\/passwd/],
        ["COPY f /f/x", /\/f is not a directory/, /Containerfile:3/],
        ["COPY f /f/x/", /\/f is not a directory/, /Containerfile:3/],
        ["COPY f /l/x", /\/l.*: too many symbolic links/, /Containerfile:3/],
        ["WORKDIR /l/x", /\/l.*: too many symbolic links/, /Containerfile:3/],
        [`COPY f /${long}/x`, /\/n+\/x: the name is too long/, /Containerfile:3/],
        [`COPY f /${long}`, /\/n+: the name is too long/, /Containerfile:3/],
        ["COPY --from=busybox /f /g", /stat f: file does not exist/, /check the path/],
        ["COPY loop/x /g", /loop\/x: too many symbolic links/, /leads to/],
        [`COPY ${long} /g`, /n: the name is too long/, /leave it out/],
        ["COPY --from=a /f /g", /circular dependency detected on stage: a/, /a stage above/],
        ["COPY --from=b /f /g\nFROM a AS b", /stage "b" needs to be defined before current stage "a"/, /above it/],
      ] as const) {
        const options = { context, name: "Containerfile", history: "buildkit", target: "a" } as const;
        await assert.rejects(builder.build(`${made}${file}\n`, options), (error: unknown) => {
          assert.ok(error instanceof BuildError || error instanceof ContainerfileError, `${file}: ${String(error)}`);
          assert.match(error.message, message, file);
          assert.match(error.remedy ?? "", remedy, file);
          const lines = error instanceof BuildError ? error.failure.lines : error.place.lines;
          assert.equal(lines[0], 3, file);
          return true;
        });
      }
    });

    test("files whose values grow without end, or whose steps wait for nothing, stop nobody else", async () => {
      const doubled = Array.from({ length: 30 }, (_, index) => `ENV V${index + 1}=$V${index}$V${index}\n`).join("");
      const growing = `FROM busybox\nENV V0=${"x".repeat(16)}\n${doubled}`;
      await assert.rejects(builder.build(growing), (error: unknown) => {
        assert.ok(error instanceof ContainerfileError);
        assert.match(error.message, /more than 4194304 characters/);
        assert.deepEqual(error.place.lines, [21, 21]);
        return true;
      });
      const heredoc = `FROM busybox\nENV V=${"x".repeat(10_000)}\nCOPY <<E /e\n${"$V\n".repeat(2000)}E\n`;
      await assert.rejects(builder.build(heredoc), /the heredoc has more than 16777216 characters/);
      const args = Array.from({ length: 5000 }, (_, index) => `ARG A${index}=1\n`).join("");
      const controller = new AbortController();
      let met = 0;
      const building = builder.build(`FROM busybox\n${args}`, {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.kind === "started" && ++met === 2) setImmediate(() => controller.abort(new Error("given up")));
        },
      });
      await assert.rejects(building, /given up/);
      assert.ok(met < 100, `${met} steps before anybody else had a turn`);
    });

    test("builds whose commands do not end keep no other build waiting", async () => {
      const clean = await leftovers();
      const controller = new AbortController();
      const { promise: allRun, resolve } = Promise.withResolvers<void>();
      const many = Math.max(2, availableParallelism());
      let running = 0;
      const endless = Array.from({ length: many }, (_, index) =>
        builder.build(`FROM busybox\nRUN echo ${index} && sleep 1000\n`, {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.kind === "log" && ++running === many) resolve();
          },
        }),
      );
      const ended = Promise.allSettled(endless);
      await Promise.race([allRun, ended]);
      assert.equal(running, many);
      await builder.build("FROM busybox\nRUN echo a short one\n");
      controller.abort(new Error("given up"));
      for (const { status } of await ended) assert.equal(status, "rejected");
      assert.deepEqual(await leftovers(), clean);
    });

    test("a build that is given up leaves nothing", async () => {
      const clean = await leftovers();
      const controller = new AbortController();
      const building = builder.build("FROM busybox\nRUN echo started && sleep 1000\n", {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.kind === "log") controller.abort(new Error("given up"));
        },
      });
      await assert.rejects(building, /given up/);
      assert.deepEqual(await leftovers(), clean);
    });

    test("what is mounted for a command is not in the image", async () => {
      const context = await builder.context({ "in.txt": "bound" });
      const secret = "s3cr3t-value-of-the-test";
      const file = `
      FROM busybox
      RUN --mount=type=bind,target=/ctx --mount=type=tmpfs,target=/scratch \\
          --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN \\
          cat /ctx/in.txt && echo x > /scratch/x && wc -c < /run/secrets/token && echo \${#TOKEN}
      RUN echo y > /made`;
      const built = await builder.build(file, { context, secret: async () => Buffer.from(secret) });
      assert.equal(built.output, `bound${secret.length}\n${secret.length}\n`);
      const found = await builder.run(built.imageId, "ls -d /ctx /scratch /run/secrets /made 2>&1; true");
      assert.match(found, /\/made/);
      for (const gone of ["/ctx", "/scratch", "/run/secrets"]) {
        assert.ok(found.includes(`${gone}: No such file`), found);
      }
      const { config, layers } = builder.engine.parts.images.store.resolve(built.imageId);
      assert.ok(!JSON.stringify(config).includes(secret));
      for (const { digest } of layers) {
        const path = await builder.engine.parts.images.content.path(digest);
        assert.ok(!(await readFile(path)).includes(secret));
      }
      const steps = await readFile(join(builder.root, "build/cache/steps.jsonl"), "utf8");
      assert.ok(!steps.includes(secret));
    });

    test("a cache mount outlives its build", async () => {
      const file = (text: string) =>
        `FROM busybox\nRUN --mount=type=cache,target=/c,id=numbers echo ${text} >> /c/list; cat /c/list\n`;
      await builder.build(file("one"));
      const { output, imageId } = await builder.build(file("two"));
      assert.equal(output, "one\ntwo\n");
      assert.match(await builder.run(imageId, "ls /c/list 2>&1; true"), /No such file/);
      const records = await builder.builder.cache.list();
      assert.ok(records.some(({ kind, description }) => kind === "exec.cachemount" && description.includes("numbers")));
    });

    test("files outside of the context cannot be copied", async () => {
      const context = await builder.context({ "a.txt": "a" });
      await assert.rejects(builder.build("FROM busybox\nCOPY ../../etc/passwd /p\n", { context }), /file not found/);
      await assert.rejects(
        builder.build("FROM busybox\nCOPY missing /p\n", { context }),
        /stat missing: file does not/,
      );
    });

    test("SOURCE_DATE_EPOCH gives the same image twice", async () => {
      const context = await builder.context({ "a.txt": "a" });
      const file = "FROM busybox\nWORKDIR /w\nCOPY a.txt .\nRUN echo b > b; mkdir c\nENV X=y\n";
      const options = { context, noCache: true, sourceDateEpoch: 1_700_000_000 };
      // What was made without it, or with another one, is none of its steps.
      const dated = await builder.build(file, { context });
      const others = await Promise.all(
        [1, 2].map((sourceDateEpoch) => builder.build(file, { context, sourceDateEpoch })),
      );
      assert.equal(new Set([dated, ...others].map(({ imageId }) => imageId)).size, 3);
      const first = await builder.build(file, options);
      const second = await builder.build(file, options);
      assert.equal(second.imageId, first.imageId);
      const cached = await builder.build(file, { ...options, noCache: false });
      assert.deepEqual([cached.imageId, cached.done], [first.imageId, []]);
      assert.equal(await builder.run(first.imageId, "stat -c %Y /w/b /w/a.txt | sort -u"), "1700000000\n");
    });

    test("the cache can be pruned, and images still work", async () => {
      const { imageId } = await builder.build("FROM busybox\nRUN echo kept > /kept\n");
      await builder.builder.cache.prune({ all: true });
      assert.equal(await builder.run(imageId, "cat /kept"), "kept\n");
    });
  });
}
