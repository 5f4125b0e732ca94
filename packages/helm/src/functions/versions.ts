import {
  pointerTo,
  stringType,
  structOf,
  type TemplateFunction,
  typed,
  uint64Type,
  type Value,
} from "@boxship/template";
import { parseConstraint } from "../version/constraint.ts";
import { compareVersions, parseVersion, type Version, versionText } from "../version/version.ts";
import { define } from "./go-values.ts";

function needVersion(text: string): Version {
  const version = parseVersion(text);
  if (version === undefined) throw new Error("Invalid Semantic Version");
  return version;
}

const whole = (read: (version: Version) => bigint) => ({
  params: [],
  call: (version: Version) => typed(uint64Type, read(version)),
});
const text = (read: (version: Version) => string) => ({ params: [], call: read });

const release = { prerelease: "", metadata: "" };

function nextPatch(version: Version): Value {
  // What comes before a release becomes it.
  const patch = version.prerelease === "" ? version.patch + 1n : version.patch;
  return versionValue({ ...version, ...release, patch });
}

const structure = structOf("semver.Version", [], {
  text: (raw) => versionText(raw as Version),
  json: (raw) => versionText(raw as Version),
});

/** The same with what can be asked of it. */
const versionType = pointerTo(structure);
const comparing = (call: (order: number) => unknown) => ({
  params: [versionType],
  call: (version: Version, other: Value) => call(compareVersions(version, other.raw as Version)),
});
Object.assign(structure, {
  methods: {
    Major: whole(({ major }) => major),
    Minor: whole(({ minor }) => minor),
    Patch: whole(({ patch }) => patch),
    Prerelease: text(({ prerelease }) => prerelease),
    Metadata: text(({ metadata }) => metadata),
    Original: text(({ original }) => original),
    String: text(versionText),
    Compare: comparing((order) => BigInt(order)),
    Equal: comparing((order) => order === 0),
    LessThan: comparing((order) => order < 0),
    GreaterThan: comparing((order) => order > 0),
    IncMajor: {
      params: [],
      call: (version: Version) =>
        versionValue({ ...version, ...release, major: version.major + 1n, minor: 0n, patch: 0n }),
    },
    IncMinor: {
      params: [],
      call: (version: Version) => versionValue({ ...version, ...release, minor: version.minor + 1n, patch: 0n }),
    },
    IncPatch: { params: [], call: nextPatch },
  },
});

const versionValue = (version: Version): Value => typed(structure, { ...version, original: versionText(version) });

/** Sprig's functions of semantic versions. */
export const versionFunctions: Readonly<Record<string, TemplateFunction>> = {
  semver: define([stringType], (value: string) => typed(versionType, needVersion(value))),
  semverCompare: define([stringType, stringType], (constraint: string, value: string) =>
    parseConstraint(constraint).allows(needVersion(value)),
  ),
};
