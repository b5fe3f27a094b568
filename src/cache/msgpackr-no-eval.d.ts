/** msgpackr's build without generated code, which ships no types of its own. */
declare module 'msgpackr/index-no-eval' {
  export { addExtension, Packr } from 'msgpackr';
}
