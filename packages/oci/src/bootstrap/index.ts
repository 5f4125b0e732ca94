export * from "./bootstrap-image.ts";
