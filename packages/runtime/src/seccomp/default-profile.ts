import { ALWAYS, BY_ARCHITECTURE, BY_CAPABILITY } from "./default-syscalls.ts";
import type { SeccompArchitectures, SeccompProfile, SeccompProfileRule } from "./profile.ts";

const ALLOW = "SCMP_ACT_ALLOW";
const EPERM = 1;
const ENOSYS = 38;

/** Address families that unprivileged containers may not open. */
const AF_ALG = 38;
const AF_VSOCK = 40;

/** Execution domains that programs ask for: Linux, with and without 16-bit uname or 2.6 numbers, and "which is it". */
const PERSONALITIES = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff];

/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: no new namespaces. */
const CLONE_NAMESPACES = 0x7e020000;

const S390 = ["s390", "s390x"];

/** Which other instruction sets' calls a 64-bit kernel also answers. */
const ARCHITECTURES: readonly SeccompArchitectures[] = [
  { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
  { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
  { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
  { architecture: "SCMP_ARCH_RISCV64", subArchitectures: [] },
  { architecture: "SCMP_ARCH_LOONGARCH64", subArchitectures: [] },
];

function argumentRules(): readonly SeccompProfileRule[] {
  const socket = (op: string, value: number): SeccompProfileRule => ({
    names: ["socket"],
    action: ALLOW,
    args: [{ index: 0, value, op }],
  });
  // Which argument holds clone's flags depends on the architecture.
  const clone = (index: number, when: Pick<SeccompProfileRule, "includes" | "excludes">): SeccompProfileRule => ({
    names: ["clone"],
    action: ALLOW,
    args: [{ index, value: CLONE_NAMESPACES, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    ...when,
  });
  return [
    socket("SCMP_CMP_LT", AF_ALG),
    socket("SCMP_CMP_EQ", AF_ALG + 1),
    socket("SCMP_CMP_GT", AF_VSOCK),
    ...PERSONALITIES.map(
      (value): SeccompProfileRule => ({
        names: ["personality"],
        action: ALLOW,
        args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
      }),
    ),
    clone(0, { excludes: { caps: ["CAP_SYS_ADMIN"], arches: S390 } }),
    clone(1, { includes: { arches: S390 }, excludes: { caps: ["CAP_SYS_ADMIN"] } }),
    // Its flags lie in memory, out of a filter's sight: "no such call" makes C libraries fall back to clone.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS, excludes: { caps: ["CAP_SYS_ADMIN"] } },
    // Before 4.8 a tracer could change a call after the filter had seen it.
    { names: ["process_vm_readv", "process_vm_writev", "ptrace"], action: ALLOW, includes: { minKernel: "4.8" } },
  ];
}

/** The profile of every container that asks for no other: refuses what is not listed with EPERM. */
export const DEFAULT_SECCOMP_PROFILE: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: EPERM,
  archMap: ARCHITECTURES,
  syscalls: [
    { names: ALWAYS, action: ALLOW },
    ...argumentRules(),
    ...BY_ARCHITECTURE.map(({ arches, names }): SeccompProfileRule => ({ names, action: ALLOW, includes: { arches } })),
    ...Object.entries(BY_CAPABILITY).map(
      ([capability, names]): SeccompProfileRule => ({ names, action: ALLOW, includes: { caps: [capability] } }),
    ),
  ],
};
