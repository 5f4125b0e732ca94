import { Unsupported } from "@boxship/base";
import { createdSeconds, type Descriptor, encodeManifest, MediaType } from "@boxship/oci";
import type { Output } from "../contract.ts";
import { platformText } from "../solver/build-args.ts";
import type { BuildSession } from "../solver/session.ts";
import type { StageState } from "../solver/state.ts";
import { type WrittenImage, writeImage } from "./image-manifest.ts";
import { PREDICATE_TYPES, provenancePredicate, subjectNames } from "./provenance.ts";

/** A stage that is built for one platform. */
export interface BuiltImage {
  readonly session: BuildSession;
  readonly state: StageState;
  /** Before its layers were squashed; absent when they were not. */
  readonly steps?: StageState;
}

/** An index with all that hangs on it, in the content store. */
export interface WrittenIndex {
  readonly descriptor: Descriptor;
  readonly images: readonly (WrittenImage & BuiltImage)[];
  /** Manifests of attestations, which are no images. */
  readonly attestations: readonly AttestationManifest[];
}

export interface AttestationManifest {
  readonly manifest: Descriptor;
  /** Configuration and statements. */
  readonly blobs: readonly Descriptor[];
}

/** Build arguments by which BuildKit is asked to describe more than images. */
const OTHER_SCANS = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];
const SPDX = "https://spdx.dev/Document";
const IN_TOTO = "application/vnd.in-toto+json";
const STATEMENT = "https://in-toto.io/Statement/v0.1";
/** Readers that choose by platform pass it over. */
const NOWHERE = { os: "unknown", architecture: "unknown" } as const;

/** Whether an output is an index: several platforms are, and one with a statement about how it was built. */
export function isIndexOutput(built: readonly BuiltImage[], output: Output): boolean {
  if (output.kind !== "image" && output.kind !== "oci") return false;
  return built.length > 1 || provenanceOf(built, output) !== undefined || wantsBill(built);
}

function wantsBill(built: readonly BuiltImage[]): boolean {
  return built[0]?.session.request.attestations?.sbom === true;
}

/** Clients that ask for nothing ask for a statement where it costs nothing: in what leaves this machine. */
function provenanceOf(built: readonly BuiltImage[], output: Output) {
  const provenance = built[0]?.session.request.attestations?.provenance;
  if (provenance?.inlineOnly !== true) return provenance;
  return output.kind === "oci" || (output.kind === "image" && output.push === true) ? provenance : undefined;
}

/** Writes the images, statements about them, and the index of all. Layers are compressed: what is pushed must not change. */
export async function writeIndex(
  built: readonly BuiltImage[],
  output: Extract<Output, { readonly kind: "image" | "oci" }>,
): Promise<WrittenIndex> {
  const provenance = provenanceOf(built, output);
  const images: (WrittenImage & BuiltImage)[] = [];
  const attestations: AttestationManifest[] = [];
  const entries: Descriptor[] = [];
  for (const one of built) {
    const written = await writeImage(one.session, one.state, { compression: "gzip" });
    images.push({ ...one, ...written });
    entries.push({ ...written.manifest, platform: one.session.platform });
    const statements: Statement[] = [];
    if (wantsBill(built)) {
      const predicate = await billOfMaterials(one, written.manifest.digest, output.names);
      statements.push({ predicateType: SPDX, predicate });
    }
    if (provenance !== undefined) {
      const predicateType = PREDICATE_TYPES[provenance.version ?? "v0.2"];
      statements.push({ predicateType, predicate: provenancePredicate(one.session, provenance) });
    }
    if (statements.length === 0) continue;
    attestations.push(await writeAttestation(one.session, written.manifest, output.names, statements));
  }
  for (const [index, { manifest }] of attestations.entries()) {
    const annotations = {
      "vnd.docker.reference.digest": images[index]?.manifest.digest ?? "",
      "vnd.docker.reference.type": "attestation-manifest",
    };
    entries.push({ ...manifest, annotations, platform: NOWHERE });
  }
  const [first] = built;
  if (first === undefined) throw new TypeError("an index of nothing");
  const { indexAnnotations: annotations = {}, mediaTypes } = first.session.request;
  const mediaType = mediaTypes === "docker" && attestations.length === 0 ? MediaType.DockerIndex : MediaType.OciIndex;
  const bytes = encodeManifest({
    kind: "index",
    mediaType,
    manifests: entries,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
  return { descriptor: await put(first.session, mediaType, bytes), images, attestations };
}

interface Statement {
  readonly predicateType: string;
  readonly predicate: object;
}

async function billOfMaterials(
  { session, state }: BuiltImage,
  digest: string,
  names: readonly string[],
): Promise<object> {
  const { describe, engine } = session.parts;
  const { args = {} } = session.request;
  const other = OTHER_SCANS.find((name) => args[name] !== undefined && args[name] !== "" && args[name] !== "false");
  if (describe === undefined || other !== undefined) {
    throw new Unsupported(
      describe === undefined
        ? "this builder makes no bills of materials"
        : `${other} is not supported: only images are described`,
      { remedy: describe === undefined ? "leave --sbom out" : `leave --build-arg ${other} out` },
    );
  }
  const layers = await Promise.all(
    state.layers.map(async ({ descriptor }) => ({
      digest: descriptor.digest,
      path: await engine.images.content.path(descriptor.digest),
    })),
  );
  const created = createdSeconds(state);
  return describe({ name: names[0] ?? "image", digest, created, layers }, session.signal);
}

/** Statements about an image, as BuildKit lays it out: a manifest that has statements for layers. */
async function writeAttestation(
  session: BuildSession,
  image: Descriptor,
  names: readonly string[],
  statements: readonly Statement[],
): Promise<AttestationManifest> {
  const digest = { sha256: image.digest.slice("sha256:".length) };
  const subject = subjectNames(names, platformText(session.platform)).map((name) => ({ name, digest }));
  const layers: Descriptor[] = [];
  for (const { predicateType, predicate } of statements) {
    const text = JSON.stringify({ _type: STATEMENT, predicateType, subject, predicate });
    const blob = await put(session, IN_TOTO, Buffer.from(text));
    layers.push({ ...blob, annotations: { "in-toto.io/predicate-type": predicateType } });
  }
  const document = {
    ...NOWHERE,
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
  };
  const config = await put(session, MediaType.OciConfig, Buffer.from(JSON.stringify(document)));
  const manifest = encodeManifest({ kind: "manifest", mediaType: MediaType.OciManifest, config, layers });
  return { manifest: await put(session, MediaType.OciManifest, manifest), blobs: [config, ...layers] };
}

async function put(session: BuildSession, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const stored = await session.parts.engine.images.content.put(bytes);
  session.lease.add(stored.digest);
  return { mediaType, ...stored };
}
