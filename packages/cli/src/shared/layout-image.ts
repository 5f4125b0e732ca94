import { Failure } from "../failure.ts";

/** umoci's `PATH[:TAG]`. */
export function layoutImage(value: string): { readonly layout: string; readonly image: string } {
  if (value === "")
    throw new Failure("--image is needed", { remedy: "name a layout's directory and an image in it: PATH:TAG" });
  const colon = value.lastIndexOf(":");
  const isTag = colon > value.lastIndexOf("/");
  return isTag ? { layout: value.slice(0, colon), image: value.slice(colon + 1) } : { layout: value, image: "latest" };
}
