import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Internal } from "@boxship/base";
import { StartError } from "../contract.ts";
import { runtimeError } from "./runtime-error.ts";

const error = (command: string, output: string) => runtimeError({ what: "create container web", command, output });

describe("what runtimes say of a command that cannot be executed", () => {
  for (const [command, output, message, exitCode] of [
    [
      "nosuch",
      'time="2026-11-21T00:10:30Z" level=error msg="runc create failed: unable to start container process: exec: \\"nosuch\\": executable file not found in $PATH"\n',
      'exec: "nosuch": executable file not found in $PATH',
      127,
    ],
    [
      "/bin/nosuch",
      'time="x" level=error msg="exec failed: unable to start container process: exec: \\"/bin/nosuch\\": stat /bin/nosuch: no such file or directory"\n',
      'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory',
      127,
    ],
    [
      "/etc",
      'level=error msg="runc run failed: exec: \\"/etc\\": permission denied"',
      'exec: "/etc": permission denied',
      126,
    ],
    [
      "nosuch",
      "executable file `nosuch` not found in $PATH: No such file or directory\n",
      'exec: "nosuch": executable file not found in $PATH',
      127,
    ],
    [
      "/bin/nosuch",
      "2026-11-21T00:10:30.123Z: executable file `/bin/nosuch` not found in $PATH: No such file or directory\n",
      'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory',
      127,
    ],
    ["/etc", "open executable: Operation not permitted\n", 'exec: "/etc": permission denied', 126],
    ["./x", "open executable: Permission denied\n", 'exec: "./x": permission denied', 126],
  ] as const) {
    test(message, () => {
      const result = error(command, output);
      assert.ok(result instanceof StartError);
      assert.equal(result.message, message);
      assert.equal(result.exitCode, exitCode);
    });
  }
});

describe("other complaints", () => {
  test("keep the runtime's words", () => {
    const result = error(
      "sh",
      'time="x" level=warning msg="something else"\ntime="x" level=error msg="runc create failed: mkdir /sys/fs/cgroup/x: no space left on device"\n',
    );
    assert.ok(result instanceof Internal);
    assert.equal(result.message, "cannot create container web: mkdir /sys/fs/cgroup/x: no space left on device");
  });

  test("conmon's own complaint loses its mark", () => {
    const { message } = error(
      "sh",
      "[conmon:i]: starting\n[conmon:e]: Failed to open log file No such file or directory\n",
    );
    assert.equal(message, "cannot create container web: Failed to open log file No such file or directory");
  });

  test("silence is said", () => {
    assert.equal(error("sh", "").message, "cannot create container web: the runtime gave no reason");
  });
});
