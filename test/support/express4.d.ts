// Express 4 under the name it is installed by; for what the tests call, its types are Express 5's.
declare module 'express4' {
  export { default } from 'express';
}
