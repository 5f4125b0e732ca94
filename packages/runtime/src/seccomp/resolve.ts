import type { OciSeccomp, OciSeccompRule } from "../spec/oci.ts";
import type { SeccompFilter, SeccompProfile, SeccompProfileRule } from "./profile.ts";

export interface SeccompTarget {
  /** Go's name, e.g. `amd64`. */
  readonly architecture: string;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The container's bounding set. */
  readonly capabilities: ReadonlySet<string>;
}

const NATIVE: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
  s390x: "SCMP_ARCH_S390X",
  riscv64: "SCMP_ARCH_RISCV64",
};

/** Decides a profile's conditions for one container: the OCI form. */
export function resolveSeccomp(profile: SeccompProfile, target: SeccompTarget): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  const rules = profile.syscalls.filter((rule) => rule.names.length > 0 && applies(rule, target));
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...architectures(profile, target.architecture),
    ...(flags === undefined ? {} : { flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: joined(rules),
  };
}

function architectures(profile: SeccompProfile, native: string): Pick<OciSeccomp, "architectures"> {
  if (profile.architectures !== undefined) return { architectures: profile.architectures };
  const entry = profile.archMap?.find(({ architecture }) => architecture === NATIVE[native]);
  return entry === undefined ? {} : { architectures: [entry.architecture, ...entry.subArchitectures] };
}

function applies(rule: SeccompProfileRule, target: SeccompTarget): boolean {
  const { includes = {}, excludes = {} } = rule;
  if (includes.arches?.length && !includes.arches.includes(target.architecture)) return false;
  if (includes.caps?.some((name) => !target.capabilities.has(name))) return false;
  if (includes.minKernel !== undefined && !atLeast(includes.minKernel, target)) return false;
  return !excluded(excludes, target);
}

function excluded(filter: SeccompFilter, target: SeccompTarget): boolean {
  if (filter.arches?.includes(target.architecture)) return true;
  if (filter.caps?.some((name) => target.capabilities.has(name))) return true;
  return filter.minKernel !== undefined && atLeast(filter.minKernel, target);
}

function atLeast(version: string, { kernel }: SeccompTarget): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

/** Rules without arguments that do the same are one rule: less to write and to parse at each start. */
function joined(rules: readonly SeccompProfileRule[]): readonly OciSeccompRule[] {
  const plain = new Map<string, { readonly rule: OciSeccompRule; readonly names: Set<string> }>();
  const result: OciSeccompRule[] = [];
  for (const { names, action, errnoRet, args } of rules) {
    const key = `${action} ${errnoRet}`;
    if (args !== undefined && args.length > 0) {
      result.push({ names, action, ...(errnoRet === undefined ? {} : { errnoRet }), args });
      continue;
    }
    const known = plain.get(key);
    if (known === undefined) {
      const rule = { names: [], action, ...(errnoRet === undefined ? {} : { errnoRet }) };
      plain.set(key, { rule, names: new Set(names) });
    } else {
      for (const name of names) known.names.add(name);
    }
  }
  return [...[...plain.values()].map(({ rule, names }) => ({ ...rule, names: [...names] })), ...result];
}
