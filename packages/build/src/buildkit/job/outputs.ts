import { InvalidArgument, Unsupported } from "@boxship/base";
import type { BuildRequest, ByteSink, Output } from "../../contract.ts";
import { sendTree } from "../files/transfer.ts";
import type { ClientSession } from "../session/client-session.ts";
import { FileSend } from "../wire/session.ts";
import { readCompression, readLevel, readTruth } from "./cache-options.ts";

/** One exporter of a request, in order: its place is the identifier by which the client knows where it goes. */
export interface ExporterRequest {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What a request's exporters mean to the solver. */
export interface Outputs {
  readonly outputs: readonly Output[];
  readonly request: Pick<
    BuildRequest,
    | "compression"
    | "compressionLevel"
    | "forceCompression"
    | "mediaTypes"
    | "annotations"
    | "indexAnnotations"
    | "sourceDateEpoch"
  >;
}

/** Largest piece of a file that is sent in one message. */
const PIECE_BYTES = 256 << 10;

/** Attributes that are looked at elsewhere, or change nothing here, as images are in one store. */
const KNOWN = new Set([
  "buildinfo",
  "buildinfo-attrs",
  "compression",
  "compression-level",
  "context",
  "dangling-name-prefix",
  "dest",
  "force-compression",
  "load",
  "name",
  "name-canonical",
  "oci-mediatypes",
  "platform-split",
  "prefer-image-digest",
  "push",
  "source-date-epoch",
  "store",
  "tar",
  "type",
  "unpack",
]);

/** @throws InvalidArgument and Unsupported, naming the exporter and the attribute */
export function readOutputs(exporters: readonly ExporterRequest[], session: ClientSession | undefined): Outputs {
  const annotations = { manifest: {}, index: {} } as const;
  let compression: BuildRequest["compression"];
  let level: number | undefined;
  let force = false;
  let mediaTypes: BuildRequest["mediaTypes"];
  let epoch: number | undefined;
  const outputs = exporters.map((exporter, place) => {
    for (const [name, value] of Object.entries(exporter.attributes)) {
      const annotation = /^annotation(?:-(?<kind>[a-z-]+))?(?<platform>\[[^\]]*\])?\.(?<key>.+)$/.exec(name)?.groups;
      if (annotation !== undefined)
        Object.assign(annotations[annotated(annotation)], { [annotation["key"] ?? ""]: value });
      else if (!KNOWN.has(name)) throw new Unsupported(`attribute ${name} of output ${exporter.type} is not supported`);
      if (name === "compression") compression = readCompression(value);
      if (name === "compression-level") level = readLevel(value);
      if (name === "force-compression") force = readTruth(value, name, false);
      if (name === "oci-mediatypes") mediaTypes = readTruth(value, name, true) ? "oci" : "docker";
      if (name === "source-date-epoch") epoch = readEpoch(value);
    }
    return readOutput(exporter, place, session);
  });
  return {
    outputs: outputs.length === 0 ? [{ kind: "none" }] : outputs,
    request: {
      ...(compression === undefined ? {} : { compression }),
      ...(level === undefined ? {} : { compressionLevel: level }),
      ...(force ? { forceCompression: force } : {}),
      ...(mediaTypes === undefined || needsOci(compression, annotations.manifest) ? {} : { mediaTypes }),
      ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
      annotations: annotations.manifest,
      indexAnnotations: annotations.index,
    },
  };
}

/** What an annotation is for. */
function annotated({
  kind = "manifest",
  platform,
}: Readonly<Record<string, string | undefined>>): "manifest" | "index" {
  if (platform !== undefined) {
    throw new Unsupported(`annotations of one platform are not supported: ${platform}`, {
      remedy: `leave ${platform} out`,
    });
  }
  if (kind === "manifest" || kind === "index") return kind;
  throw new Unsupported(`annotations of ${kind} are not supported`, { remedy: "annotate the manifest or the index" });
}

/** Docker's media types have neither zstd nor annotations. */
function needsOci(compression: BuildRequest["compression"], annotations: object): boolean {
  return compression === "zstd" || Object.keys(annotations).length > 0;
}

function readOutput({ type, attributes }: ExporterRequest, place: number, session: ClientSession | undefined): Output {
  const names = (attributes["name"] ?? "").split(",").filter((name) => name !== "");
  switch (type) {
    case "moby":
    case "image": {
      const push = readTruth(attributes["push"], "push", false);
      if (push && names.length === 0) throw new InvalidArgument("an image needs a name to be pushed");
      return { kind: "image", names, push, store: readTruth(attributes["store"], "store", true) };
    }
    case "oci":
    case "docker":
      if (!readTruth(attributes["tar"], "tar", true))
        throw new Unsupported(`output ${type} with tar=false is not supported`, { remedy: "let it write an archive" });
      return { kind: type, names, write: fileSink(session, place, type) };
    case "tar":
      return { kind: "tar", write: fileSink(session, place, type) };
    case "local":
      return { kind: "local", write: (tree) => sendDirectory(requireSession(session, type), place, tree) };
    default:
      throw new Unsupported(`output of type ${type} is not supported`, {
        remedy: "use image, docker, oci, tar, local or registry",
      });
  }
}

function requireSession(session: ClientSession | undefined, type: string): ClientSession {
  if (session?.supports(FileSend.file) === true) return session;
  throw new InvalidArgument(`output ${type}: the client takes no files`);
}

const exporterId = (place: number) => ({ "buildkit-attachable-exporter-id": [String(place)] });

/** Writes one file at the client. */
function fileSink(session: ClientSession | undefined, place: number, type: string): ByteSink {
  const { client } = requireSession(session, type);
  return async (bytes) => {
    using call = client.call(FileSend.file, { metadata: exporterId(place) });
    try {
      for await (const piece of bytes) {
        for (let at = 0; at < piece.length; at += PIECE_BYTES)
          await call.send({ data: piece.subarray(at, at + PIECE_BYTES) });
      }
      call.endRequests();
      call.stream.resume();
    } catch (error) {
      // A client that refuses says why in the call's end, not where it is written.
      if (call.stream.closed) await call.ended;
      throw error;
    }
    await call.ended;
  };
}

async function sendDirectory(
  session: ClientSession,
  place: number,
  tree: { readonly path: string; readonly platform?: string },
): Promise<void> {
  using call = session.client.call(FileSend.diffCopy, { metadata: exporterId(place) });
  const prefix = tree.platform?.replaceAll("/", "_");
  await sendTree(call, { directory: tree.path, ...(prefix === undefined ? {} : { prefix }) });
}

function readEpoch(value: string): number {
  if (!/^\d{1,12}$/.test(value)) throw new InvalidArgument(`source-date-epoch: '${value}' is no number of seconds`);
  return Number(value);
}
