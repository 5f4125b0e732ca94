import { deepEqual, equal, match } from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { REGISTRY_USER, runProgram, startRegistry, tempDir } from "@boxship/testkit";
import { onSocket } from "../e2e/programs.ts";

test("helm logs in where 'boxship login' does, and charts go to the registry and come back", async () => {
  await using directory = tempDir("cli-helm");
  await using registry = await startRegistry({ auth: "htpasswd" });
  mkdirSync(directory.join("web"));
  writeFileSync(directory.join("web/Chart.yaml"), "{apiVersion: v2, name: web, version: 1.0.0}");
  const run = onSocket(directory.join("none"));
  const env = { DOCKER_CONFIG: directory.join("config"), HOME: directory.path };
  const { username, password } = REGISTRY_USER;
  const words = ["helm", "registry", "login", registry.host, "-u", username, "--password-stdin"];
  const login = await run(words, { input: `${password}\n`, env });
  deepEqual([login.status, login.stderr], [0, "Login Succeeded\n"]);
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  deepEqual(JSON.parse(readFileSync(directory.join("config/config.json"), "utf8")), {
    auths: { [registry.host]: { auth } },
  });
  const helm = async (...all: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(["helm", ...all], { env });
    equal(status, 0, stderr);
    return stdout;
  };
  await helm("package", directory.join("web"), "-d", directory.path);
  match(await helm("push", directory.join("web-1.0.0.tgz"), `oci://${registry.host}/charts`), /^Pushed: /);
  match(await helm("show", "chart", `oci://${registry.host}/charts/web`), /version: 1\.0\.0/);
  await helm("registry", "logout", registry.host);
  const refused = await run(["helm", "show", "chart", `oci://${registry.host}/charts/web`], { env });
  equal(refused.status, 1);
  equal((await runProgram(["test", "-e", directory.join("none")])).status, 1);
});
