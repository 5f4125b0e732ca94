import { defineRoute } from "../../http/route.ts";
import { remoteImage } from "../distribution/remote-image.ts";

export const distributionManifest = defineRoute({
  method: "GET",
  path: "/boxship/distribution/{name*}/manifest",
  doc: { state: "works", note: "extension: the manifest or index of an image as its registry keeps it" },
  handle: async (call) => {
    const { descriptor, document } = await remoteImage(call);
    const headers = { "Boxship-Media-Type": descriptor.mediaType, "Docker-Content-Digest": descriptor.digest };
    return { status: 200, text: Buffer.from(document).toString("utf8"), headers };
  },
});
