import { encodeList } from "@boxship/images";
import { configPlatform, decodeImageConfig, decodeManifest, formatReference, parseReference } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { invalidReference, parseImageName, withDefaultTag } from "../format/image-name.ts";
import { manifestLists } from "../shared/manifest-lists.ts";
import { registryAccess } from "../shared/registry-access.ts";
import { type ManifestSource, type RawPlatform, verboseList, verboseManifest } from "../shared/verbose-manifest.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "Display an image manifest, or manifest list, as its registry keeps it",
  flags: {
    insecure: bool("Allow communication with an insecure registry"),
    verbose: bool("Output additional info including layers and platform", { short: "v" }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags: { insecure, verbose }, operands: [image = ""] }) {
    const name = parseImageName(image);
    if (name === undefined) throw new Failure(invalidReference(image));
    const reference = parseReference(withDefaultTag(name));
    const local = await (await manifestLists(context)).find(reference);
    await using stack = new AsyncDisposableStack();
    const source = insecure ? fromRegistry(context, reference.domain, stack) : await fromEngine(context, image);
    if (verbose) {
      const listed = local?.images.map(({ descriptor }) => descriptor);
      print(
        context,
        indented(await (listed ? verboseList(source, reference, listed) : verboseManifest(source, reference))),
      );
      return;
    }
    const bytes = local === undefined ? await source.document(reference) : encodeList(local).bytes;
    print(context, indented(JSON.parse(Buffer.from(bytes).toString())));
  },
});

const indented = (value: unknown): string => JSON.stringify(value, undefined, "\t");

/** The engine asks, with its settings for the registry. */
async function fromEngine(context: Context, image: string): Promise<ManifestSource> {
  const { api } = context;
  const headers = await authHeaders(await context.config(), image);
  const place = (text: string) => text.split("/").map(encodeURIComponent).join("/");
  return {
    document: async (reference) => {
      const path = `/boxship/distribution/${place(formatReference(reference))}/manifest`;
      return Buffer.from(await api.text("GET", path, { headers }));
    },
    platform: async (reference) => {
      const path = `/distribution/${place(formatReference(reference))}/json`;
      const { Platforms } = await api.json<{ readonly Platforms?: readonly RawPlatform[] }>("GET", path, { headers });
      return Platforms?.[0];
    },
  };
}

function fromRegistry(context: Context, domain: string, stack: AsyncDisposableStack): ManifestSource {
  const access = { authfile: "", "cert-dir": "", creds: "", "tls-verify": false };
  const client = stack.use(registryAccess(context, access, domain));
  return {
    document: async (reference) => (await client.manifest(reference)).bytes,
    platform: async (reference) => {
      const { bytes, mediaType } = await client.manifest(reference);
      const manifest = decodeManifest(bytes, { mediaType, name: formatReference(reference) });
      if (manifest.kind === "index") return undefined;
      const config = await client.readBlob(reference, manifest.config);
      const { osVersion, osFeatures, ...rest } = configPlatform(decodeImageConfig(config, formatReference(reference)));
      return {
        ...rest,
        ...(osVersion === undefined ? {} : { "os.version": osVersion }),
        ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
      };
    },
  };
}
