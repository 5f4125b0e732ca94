export * from "./leak-check.ts";
