import { hideCredentials } from "@boxship/base";
import { hostPlatform } from "@boxship/oci";
import type { Attestations, ContextSource } from "../contract.ts";
import { platformText } from "../solver/build-args.ts";
import type { BuildSession } from "../solver/session.ts";

type Provenance = NonNullable<Attestations["provenance"]>;

export const PREDICATE_TYPES = {
  "v0.2": "https://slsa.dev/provenance/v0.2",
  v1: "https://slsa.dev/provenance/v1",
} as const;

const BUILDKIT_TYPE = "https://mobyproject.org/buildkit@v1";
const BUILDKIT_DEFINITION = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
const LOCAL_CONTEXTS: ReadonlySet<ContextSource["kind"]> = new Set(["directory", "tar", "provider"]);

interface Material {
  readonly uri: string;
  readonly digest?: Readonly<Record<string, string>>;
}

/**
 * How an image was built, in the words of SLSA and, where those leave it open, of BuildKit. `max` adds what the build was
 * given: arguments, labels and the Containerfile. Secrets are neither here nor there.
 */
export function provenancePredicate(
  session: BuildSession,
  { mode, builderId = "", version = "v0.2" }: Provenance,
): object {
  const times = {
    started: new Date(session.began).toISOString(),
    finished: new Date(session.now()).toISOString(),
  };
  const materials = [...session.materials].map(([uri, digest]): Material => {
    const colon = digest.indexOf(":");
    return colon === -1 ? { uri } : { uri, digest: { [digest.slice(0, colon)]: digest.slice(colon + 1) } };
  });
  const parts = { session, mode, builderId, materials, times };
  return version === "v1" ? slsa1(parts) : slsa02(parts);
}

interface Parts {
  readonly session: BuildSession;
  readonly mode: Provenance["mode"];
  readonly builderId: string;
  readonly materials: readonly Material[];
  readonly times: { readonly started: string; readonly finished: string };
}

function slsa02({ session, mode, builderId, materials, times }: Parts): object {
  return {
    builder: { id: builderId },
    buildType: BUILDKIT_TYPE,
    materials,
    invocation: {
      configSource: configSource(session, "entryPoint"),
      parameters: requestOf(session, mode),
      environment: { platform: platformText(hostPlatform()) },
    },
    metadata: {
      buildInvocationID: session.id,
      buildStartedOn: times.started,
      buildFinishedOn: times.finished,
      completeness: { parameters: mode === "max", environment: true, materials: false },
      reproducible: false,
      [`${BUILDKIT_TYPE}#metadata`]: mode === "max" ? { source: sourceOf(session) } : {},
    },
  };
}

function slsa1({ session, mode, builderId, materials, times }: Parts): object {
  return {
    buildDefinition: {
      buildType: BUILDKIT_DEFINITION,
      externalParameters: { configSource: configSource(session, "path"), request: requestOf(session, mode) },
      internalParameters: { builderPlatform: platformText(hostPlatform()) },
      resolvedDependencies: materials,
    },
    runDetails: {
      builder: { id: builderId },
      metadata: {
        invocationId: session.id,
        startedOn: times.started,
        finishedOn: times.finished,
        buildkit_metadata: mode === "max" ? { source: sourceOf(session) } : {},
        buildkit_completeness: { request: mode === "max", resolvedDependencies: false },
      },
    },
  };
}

/** Where the Containerfile is from. */
function configSource({ request }: BuildSession, name: "entryPoint" | "path"): object {
  const { file, context } = request;
  const path = file.kind === "bytes" ? file.name : (file.path ?? "Dockerfile");
  return { ...("url" in context ? { uri: hideCredentials(context.url) } : {}), [name]: path };
}

function requestOf({ request, platform }: BuildSession, mode: Provenance["mode"]): object {
  const { args = {}, labels = {}, contexts = {}, target, context, file } = request;
  const values = (prefix: string, entries: Readonly<Record<string, string | undefined>>) =>
    Object.entries(entries).flatMap(([name, value]) =>
      value === undefined ? [] : [[`${prefix}:${name}`, value] as const],
    );
  const locals = [
    ...(LOCAL_CONTEXTS.has(context.kind) ? ["context"] : []),
    ...(file.kind === "bytes" ? ["dockerfile"] : []),
    ...Object.entries(contexts).flatMap(([name, { kind }]) => (LOCAL_CONTEXTS.has(kind) ? [name] : [])),
  ].toSorted();
  const given = mode === "max" ? Object.fromEntries([...values("build-arg", args), ...values("label", labels)]) : {};
  return {
    frontend: "dockerfile.v0",
    args: { ...given, ...(target === undefined ? {} : { target }), platform: platformText(platform) },
    locals: locals.map((name) => ({ name })),
  };
}

function sourceOf({ source }: BuildSession): object {
  if (source === undefined) return {};
  const data = Buffer.from(source.bytes).toString("base64");
  return { infos: [{ filename: source.name, language: "Dockerfile", data }] };
}

/** What a statement is about: an image under a name, as a package URL, or without one. */
export function subjectNames(names: readonly string[], platform: string): readonly string[] {
  if (names.length === 0) return ["_"];
  return names.map((name) => {
    const colon = name.lastIndexOf(":");
    const [path, tag] =
      colon > name.lastIndexOf("/") ? [name.slice(0, colon), name.slice(colon + 1)] : [name, "latest"];
    return `pkg:docker/${path}@${tag}?platform=${encodeURIComponent(platform)}`;
  });
}
