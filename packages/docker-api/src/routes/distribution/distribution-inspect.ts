import { defineRoute, ok } from "../../http/route.ts";
import { remoteImage } from "./remote-image.ts";

export const distributionInspect = defineRoute({
  method: "GET",
  path: "/distribution/{name*}/json",
  minVersion: 30,
  doc: { state: "works" },
  handle: async (call) => {
    const { descriptor, platforms } = await remoteImage(call);
    return ok({
      Descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
      Platforms: platforms.map(({ architecture, os, osVersion, osFeatures, variant }) => ({
        architecture,
        os,
        ...(osVersion === undefined ? {} : { "os.version": osVersion }),
        ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
        ...(variant === undefined ? {} : { variant }),
      })),
    });
  },
});
