-- No event is of a type that the published catalogue does not have (domain/events/catalogue.ts). Events that are there stay.

ALTER TABLE domain_event ADD CONSTRAINT known_event_type CHECK (type IN (
    'reservation.created', 'reservation.confirmed', 'reservation.unconfirmed', 'reservation.checked_in',
    'reservation.checked_out', 'reservation.cancelled', 'reservation.no_show', 'reservation.payment_status_changed',
    'reservation.updated', 'task.created', 'task.unassigned', 'task.assigned', 'task.started', 'task.completed',
    'task.cancelled', 'task.merged', 'task.rescheduled', 'task.updated', 'transaction.created', 'transaction.pending',
    'transaction.processing', 'transaction.completed', 'transaction.failed', 'transaction.cancelled',
    'transaction.reversed', 'transaction.manual_required', 'transaction.updated', 'payment.processing',
    'payment.completed', 'payment.failed', 'payment.cancelled', 'payment.reversed', 'property.created',
    'property.readiness_changed', 'property.updated', 'saga.accepted', 'saga.compensating', 'saga.parked',
    'saga.completed', 'saga.compensated', 'saga.resolved', 'notification.sent', 'notification.delivered',
    'notification.failed', 'notification.skipped', 'notification.blocked', 'guest.created', 'guest.updated',
    'owner.created', 'owner.updated', 'staff.created', 'staff.updated'
  )) NOT VALID;
