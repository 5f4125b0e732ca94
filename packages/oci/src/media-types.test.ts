import { throws } from "node:assert/strict";
import { test } from "node:test";
import { Unsupported } from "@boxship/base";
import { layerCompression } from "./media-types.ts";

test("layers that only other tools can read are refused as what they are", () => {
  for (const [mediaType, kind] of [
    ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", /^encrypted layers of media type/],
    ["application/vnd.docker.image.rootfs.diff.tar.gzip+encrypted", /^encrypted layers of media type/],
    ["application/vnd.oci.image.layer.nydus.blob.v1", /^lazily pulled layers of media type/],
    ["application/vnd.erofs.layer.v1", /^layers of media type|^lazily pulled/],
    ["text/plain", /^layers of media type "text\/plain" are not supported/],
  ] as const) {
    throws(
      () => layerCompression(mediaType),
      (error: unknown) => error instanceof Unsupported && kind.test(error.message),
      mediaType,
    );
  }
});
