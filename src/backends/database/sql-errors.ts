import { CacheUnavailableError } from '../../errors';
import type { Vendor } from './sources';

/** What an error of a driver comes to. */
export type SqlFault = 'missing-table' | 'not-allowed' | 'too-large' | 'refused' | 'unavailable';

/** What drivers put on their errors. */
interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly fatal?: unknown;
  readonly message?: unknown;
}

/** `ER_LOCK_DEADLOCK`. */
const MYSQL_DEADLOCK = 1213;

/** Tells a server that answers, and will not do this, from one that is not there. */
export function faultOf(vendor: Vendor, error: unknown): SqlFault {
  if (typeof error !== 'object' || error === null || error instanceof CacheUnavailableError) {
    return 'unavailable';
  }
  return FAULTS[vendor](error);
}

const FAULTS: Record<Vendor, (error: DriverError) => SqlFault> = {
  /** By SQLSTATE, of which the first two characters are the class. */
  postgres({ code }) {
    if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return 'unavailable';
    // Connection exceptions, insufficient resources, operator intervention (among it a statement
    // that took too long), system errors, wrong passwords.
    if (/^(08|28|53|57|58|3D|XX)/.test(code) || /^E[A-Z]{4}$/.test(code)) return 'unavailable';
    if (code === '42P01') return 'missing-table';
    // Other syntax errors and access rule violations; read-only transactions.
    if (code.startsWith('42') || code === '25006') return 'not-allowed';
    // A bytea above a gigabyte.
    if (code === '54000') return 'too-large';
    return 'refused';
  },

  mysql({ errno, sqlState, fatal, code }) {
    if (code === 'ER_NET_PACKET_TOO_LARGE' || errno === 1153) return 'too-large';
    if (typeof errno !== 'number' || typeof sqlState !== 'string' || fatal === true) {
      return 'unavailable';
    }
    if (errno === 1146) return 'missing-table';
    // No such column, wrong syntax, command denied, a server that is read-only.
    if ([1054, 1064, 1142, 1143, 1290, 1792, 1836].includes(errno)) return 'not-allowed';
    // Too many connections, access denied, going down, killed, or took too long.
    if ([1040, 1044, 1045, 1049, 1053, 1203, 1317, 1927, 1969, 3024].includes(errno)) {
      return 'unavailable';
    }
    return 'refused';
  },

  sqlite({ code, message }) {
    const text = String(message);
    if (/no such table/.test(text)) return 'missing-table';
    if (/no such column|has no column|syntax error|readonly database/.test(text)) {
      return 'not-allowed';
    }
    if (code === 'SQLITE_TOOBIG' || /too big/.test(text)) return 'too-large';
    if (isBusy({ code, message })) return 'refused';
    if (/^SQLITE_CONSTRAINT|^SQLITE_MISMATCH/.test(String(code)) || /constraint/.test(text)) {
      return 'refused';
    }
    return 'unavailable';
  },
};

/**
 * Whether a statement was given up as it and others waited for each other in a circle: the same
 * will do if it is sent again.
 */
export function isDeadlock({ code, errno }: DriverError): boolean {
  return code === '40P01' || code === '40001' || errno === MYSQL_DEADLOCK;
}

/** Whether an error has ended the transaction that it occurred in, and not the statement alone. */
export function endsTransaction({ errno }: DriverError): boolean {
  return errno === MYSQL_DEADLOCK;
}

/** Whether SQLite refused because another connection writes. */
export function isBusy({ code, message }: DriverError): boolean {
  return (
    /^SQLITE_(BUSY|LOCKED)/.test(String(code)) ||
    /database( table)? is locked/.test(String(message))
  );
}
