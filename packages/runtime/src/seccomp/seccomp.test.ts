import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CAPABILITY_NAMES } from "@boxship/kernel";
import { DEFAULT_CAPABILITIES } from "../spec/capabilities.ts";
import type { OciSeccomp } from "../spec/oci.ts";
import { serializeOci } from "../spec/serialize.ts";
import { DEFAULT_SECCOMP_PROFILE } from "./default-profile.ts";
import { parseSeccompProfile } from "./profile.ts";
import { resolveSeccomp, type SeccompTarget } from "./resolve.ts";

const REFERENCE = parseSeccompProfile(readFileSync(new URL("testdata/docker-default.json", import.meta.url), "utf8"));

/** One line per system call, action and condition: what a resolved profile means, whatever its order. */
function meaning(seccomp: OciSeccomp): readonly string[] {
  const lines = (seccomp.syscalls ?? []).flatMap(({ names, action, errnoRet, args = [] }) => {
    const condition = args
      .map(({ index, op, value, valueTwo = 0 }) => `${index} ${op} ${value} ${valueTwo}`)
      .join(" & ");
    return names.map((name) => `${name} ${action} ${errnoRet ?? ""} ${condition}`);
  });
  return [...new Set(lines)].sort();
}

const targets: readonly [string, SeccompTarget][] = [];
for (const architecture of ["amd64", "arm64", "s390x", "riscv64"]) {
  for (const [what, names] of [
    ["none", []],
    ["default", DEFAULT_CAPABILITIES],
    ["all", CAPABILITY_NAMES],
    ...CAPABILITY_NAMES.map((name) => [name, [...DEFAULT_CAPABILITIES, name]] as const),
  ] as const) {
    for (const minor of [4, 18]) {
      const target = { architecture, kernel: { major: 4, minor }, capabilities: new Set<string>(names) };
      (targets as [string, SeccompTarget][]).push([`${architecture} ${what} 4.${minor}`, target]);
    }
  }
}

describe("the default profile", () => {
  test("means what Docker's means, for every architecture and capability", () => {
    for (const [name, target] of targets) {
      const ours = resolveSeccomp(DEFAULT_SECCOMP_PROFILE, target);
      const reference = resolveSeccomp(REFERENCE, target);
      assert.deepEqual(meaning(ours), meaning(reference), name);
      assert.deepEqual(ours.architectures, reference.architectures, name);
      assert.equal(ours.defaultAction, reference.defaultAction);
      assert.equal(ours.defaultErrnoRet, reference.defaultErrnoRet);
    }
  });

  test("refuses namespaces to the unprivileged, and lets an administrator make them", () => {
    const kernel = { major: 6, minor: 1 };
    const plain = resolveSeccomp(DEFAULT_SECCOMP_PROFILE, {
      architecture: "amd64",
      kernel,
      capabilities: new Set(DEFAULT_CAPABILITIES),
    });
    assert.ok(!plain.syscalls?.some(({ names }) => names.includes("unshare")));
    assert.ok(plain.syscalls?.some(({ names, errnoRet }) => names.includes("clone3") && errnoRet === 38));
    const admin = resolveSeccomp(DEFAULT_SECCOMP_PROFILE, {
      architecture: "amd64",
      kernel,
      capabilities: new Set(CAPABILITY_NAMES),
    });
    assert.ok(admin.syscalls?.some(({ names, action }) => names.includes("unshare") && action === "SCMP_ACT_ALLOW"));
    assert.ok(!admin.syscalls?.some(({ names, errnoRet }) => names.includes("clone3") && errnoRet === 38));
  });
});

describe("a user's profile", () => {
  const target: SeccompTarget = {
    architecture: "amd64",
    kernel: { major: 6, minor: 1 },
    capabilities: new Set(["CAP_A"]),
  };

  test("in both forms", () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86_64"],
        flags: ["SECCOMP_FILTER_FLAG_LOG"],
        syscalls: [
          { name: "mkdir", action: "SCMP_ACT_ERRNO", args: null },
          { names: ["chmod", "fchmod"], action: "SCMP_ACT_ERRNO", errnoRet: 13, comment: "kept out" },
          { names: ["rmdir"], action: "SCMP_ACT_LOG", includes: { caps: ["CAP_A", "CAP_B"] } },
          { names: ["link"], action: "SCMP_ACT_LOG", excludes: { minKernel: "5.0" } },
          { names: ["read"], action: "SCMP_ACT_LOG", args: [{ index: 1, op: "SCMP_CMP_EQ", value: 7 }] },
        ],
      }),
    );
    assert.deepEqual(resolveSeccomp(profile, target), {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { action: "SCMP_ACT_ERRNO", names: ["mkdir"] },
        { action: "SCMP_ACT_ERRNO", errnoRet: 13, names: ["chmod", "fchmod"] },
        { action: "SCMP_ACT_LOG", names: ["read"], args: [{ index: 1, op: "SCMP_CMP_EQ", value: 7 }] },
      ],
    });
  });

  test("64-bit values stay exact", () => {
    const profile = parseSeccompProfile(
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO",' +
        '"args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}',
    );
    assert.match(serializeOci(resolveSeccomp(profile, target)), /"value":18446744073709551615/);
  });

  for (const [what, text, message] of [
    ["no JSON", "{", /^decoding seccomp profile failed: /],
    ["no action", "{}", /defaultAction is not a string/],
    ["an unknown action", '{"defaultAction":"SCMP_ACT_HUG"}', /unknown action SCMP_ACT_HUG/],
    [
      "both names",
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}',
      /syscalls\[0\]: use either 'name' or 'names', not both/,
    ],
    [
      "both architectures",
      '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["a"],"archMap":[]}',
      /use either 'architectures' or 'archMap', not both/,
    ],
    [
      "a bad argument",
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["b"],"action":"SCMP_ACT_LOG","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}',
      /6 is not an argument of a system call/,
    ],
  ] as const) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => parseSeccompProfile(text), { message });
    });
  }
});
