import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ContainerView, CreateContainerRequest, EffectiveConfig } from "@boxship/engine";
import { containerView } from "../testing/scripted-engine.ts";
import { encodeContainerInspect } from "../view/container-inspect.ts";
import { decodeCreateContainer } from "./create-container.ts";

const FOLDER = join(import.meta.dirname, "testdata/dockerd");

/** What Docker 20.10 was asked to create, and its inspect of it (recorded from a real daemon, image `bb:1`). */
function load(name: string, file: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name, file), "utf8"));
}

/** What differs by the daemon's own choice: it labels for SELinux, and newer ones name the policy `no`. */
const OWN_CHOICE = new Set([
  "Config.Env",
  "Config.Hostname",
  "HostConfig.Isolation",
  "HostConfig.MaskedPaths",
  "HostConfig.RestartPolicy.Name",
  "HostConfig.Runtime",
]);

/** Absent, null and empty mean the same to Go's clients. */
function flatten(value: unknown, path = ""): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  if (OWN_CHOICE.has(path) || value === null || value === "label=disable") return flat;
  if (typeof value !== "object")
    return flat.set(path, value === "" || value === 0 || value === false ? undefined : value);
  for (const [key, inner] of Object.entries(value)) {
    for (const [at, leaf] of flatten(inner, path === "" ? key : `${path}.${key}`)) {
      if (leaf !== undefined) flat.set(at, leaf);
    }
  }
  return flat;
}

/** The container that an engine would make of it, the image's own settings included. */
function viewOf({ config, hostConfig }: Pick<CreateContainerRequest, "config" | "hostConfig">): ContainerView {
  const effective: EffectiveConfig = {
    ...config,
    hostname: config.hostname ?? "",
    domainname: config.domainname ?? "",
    user: config.user ?? "",
    env: config.env ?? [],
    cmd: config.cmd ?? (config.entrypoint === undefined ? ["sh"] : []),
    entrypoint: config.entrypoint ?? [],
    workingDir: config.workingDir ?? "",
    labels: { x: "y", ...config.labels },
    exposedPorts: ["80/tcp", ...(config.exposedPorts ?? [])],
    volumes: ["/data", ...(config.volumes ?? [])],
  };
  return containerView({ config, effective, hostConfig });
}

for (const name of readdirSync(FOLDER)) {
  test(`what Docker was asked and shows: ${name}`, () => {
    const context = { version: 41, warnings: [] };
    const decoded = decodeCreateContainer(load(name, "create.json"), context);
    const shown = encodeContainerInspect(
      viewOf(decoded),
      { runtime: "runc", cgroupnsMode: "host", oomKillDisable: false },
      41,
    );
    const { Path, Args, HostConfig, Config } = shown;
    const want = flatten(load(name, "inspect.json"));
    const got = flatten(JSON.parse(JSON.stringify({ Path, Args, HostConfig, Config })));
    assert.deepEqual(Object.fromEntries(got), Object.fromEntries(want));
    assert.deepEqual(context.warnings, []);
  });
}

test("every field that Docker's inspect has is there", () => {
  const shown = encodeContainerInspect(
    viewOf(decodeCreateContainer(load("everything", "create.json"), { version: 41, warnings: [] })),
    { runtime: "runc", cgroupnsMode: "host", oomKillDisable: false },
    41,
  );
  const want = load("everything", "inspect.json") as Record<string, object>;
  for (const part of ["HostConfig", "Config"]) {
    const missing = Object.keys(want[part] ?? {}).filter((key) => !Object.hasOwn(shown[part] as object, key));
    assert.deepEqual(missing, []);
  }
});
