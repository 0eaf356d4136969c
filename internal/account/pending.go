package account

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

var errPending = errors.New("account: not there yet")

// Claimed reports whether the installation has an owner: once true, it stays so.
func (s *Service) Claimed(ctx context.Context) (bool, error) { return false, errPending }

// BySession returns who the cookie's secret belongs to, acting in the team (id or slug; "" is
// their own). CodeUnauthenticated if the session is over, CodeNotFound if they are not in the team.
func (s *Service) BySession(ctx context.Context, secret, team string, from From) (hosting.Caller, error) {
	return hosting.Caller{}, errPending
}

// ByToken returns who an API token speaks for. It acts in the token's own team; naming another
// is CodeNotFound.
func (s *Service) ByToken(ctx context.Context, secret, team string, from From) (hosting.Caller, error) {
	return hosting.Caller{}, errPending
}

// Operator returns the operator, as the owner of any team: by default of hosting.DefaultTeam.
func (s *Service) Operator(ctx context.Context, via hosting.Via, team string, from From) (hosting.Caller, error) {
	return hosting.Caller{}, errPending
}

// Identity tells a caller who they are.
func (s *Service) Identity(ctx context.Context, c hosting.Caller) (hosting.Identity, error) {
	return hosting.Identity{}, errPending
}

// SignUp makes an account and signs it in: by the owner link, by an invitation's link, or,
// where sign-up is open, without one.
func (s *Service) SignUp(ctx context.Context, in SignUp, from From) (SignedIn, error) {
	return SignedIn{}, errPending
}

// LogIn begins a session. Unknown addresses and wrong passwords cannot be told apart.
func (s *Service) LogIn(ctx context.Context, email, password string, from From) (SignedIn, error) {
	return SignedIn{}, errPending
}

// LogOut ends the session that the secret belongs to; an unknown one is no error.
func (s *Service) LogOut(ctx context.Context, c hosting.Caller, secret string) error {
	return errPending
}

// UpdateUser changes the caller's name.
func (s *Service) UpdateUser(ctx context.Context, c hosting.Caller, name string) (hosting.User, error) {
	return hosting.User{}, errPending
}

// ChangePassword sets another password, ends all sessions, and begins a new one.
func (s *Service) ChangePassword(ctx context.Context, c hosting.Caller, current, next string, from From) (SignedIn, error) {
	return SignedIn{}, errPending
}

// Forgot mails a link for a new password, if the address has an account. It answers the same
// whether or not.
func (s *Service) Forgot(ctx context.Context, email string, from From) error { return errPending }

// Reset sets a new password by such a link, and ends all sessions.
func (s *Service) Reset(ctx context.Context, link, password string, from From) error {
	return errPending
}

// Confirm notes that an address is its user's, by the link that was mailed to it.
func (s *Service) Confirm(ctx context.Context, link string) error { return errPending }

// DeleteUser deletes the caller's account. It is CodeConflict while their own team has projects,
// or they are the only owner of another team.
func (s *Service) DeleteUser(ctx context.Context, c hosting.Caller, password string) (hosting.Deletion, error) {
	return hosting.Deletion{}, errPending
}

// ListSessions lists the caller's sessions, newest first.
func (s *Service) ListSessions(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.Session], error) {
	return state.List[hosting.Session]{}, errPending
}

// EndSession ends one of the caller's sessions.
func (s *Service) EndSession(ctx context.Context, c hosting.Caller, id hosting.SessionID) error {
	return errPending
}

// External is a person that another place vouches for.
type External struct {
	Provider, Subject string
	Email, Name       string
	Verified          bool // the place says that the address is theirs
}

// Enter signs in whom another place vouches for. An account is found by provider and subject,
// never by address alone; one is made where the sign-up rules, or an invitation, allow it.
func (s *Service) Enter(ctx context.Context, x External, link string, from From) (SignedIn, error) {
	return SignedIn{}, errPending
}

// ListTeams lists the caller's teams.
func (s *Service) ListTeams(ctx context.Context, c hosting.Caller) ([]hosting.TeamOf, error) {
	return nil, errPending
}

// CreateTeam makes a team whose owner is the caller.
func (s *Service) CreateTeam(ctx context.Context, c hosting.Caller, in NewTeam) (hosting.Team, error) {
	return hosting.Team{}, errPending
}

// UpdateTeam renames the team that the caller acts in.
func (s *Service) UpdateTeam(ctx context.Context, c hosting.Caller, name string) (hosting.Team, error) {
	return hosting.Team{}, errPending
}

// DeleteTeam deletes the team that the caller acts in. It is CodeConflict while it has
// projects, and for personal teams.
func (s *Service) DeleteTeam(ctx context.Context, c hosting.Caller) (hosting.Deletion, error) {
	return hosting.Deletion{}, errPending
}

// ListMembers lists the members of the team.
func (s *Service) ListMembers(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.Member], error) {
	return state.List[hosting.Member]{}, errPending
}

// SetRole gives a member another role. The last owner keeps theirs (CodeConflict).
func (s *Service) SetRole(ctx context.Context, c hosting.Caller, user hosting.UserID, role hosting.Role) (hosting.Member, error) {
	return hosting.Member{}, errPending
}

// RemoveMember takes a member out of the team, and with them their tokens for it. The last
// owner stays (CodeConflict).
func (s *Service) RemoveMember(ctx context.Context, c hosting.Caller, user hosting.UserID) error {
	return errPending
}

// Leave takes the caller out of the team.
func (s *Service) Leave(ctx context.Context, c hosting.Caller) error { return errPending }

// Invite asks an address into the team, by mail where there is one. The operator is told the link.
func (s *Service) Invite(ctx context.Context, c hosting.Caller, email string, role hosting.Role) (hosting.Invitation, error) {
	return hosting.Invitation{}, errPending
}

// ListInvitations lists the team's invitations that can still be accepted.
func (s *Service) ListInvitations(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.Invitation], error) {
	return state.List[hosting.Invitation]{}, errPending
}

// WithdrawInvitation makes an invitation's link worthless.
func (s *Service) WithdrawInvitation(ctx context.Context, c hosting.Caller, id hosting.InvitationID) error {
	return errPending
}

// Accept takes the caller, whose address it must be for, into the invitation's team.
func (s *Service) Accept(ctx context.Context, c hosting.Caller, link string) (hosting.TeamOf, error) {
	return hosting.TeamOf{}, errPending
}

// ListAudit lists who did what in the team, newest first.
func (s *Service) ListAudit(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.AuditEntry], error) {
	return state.List[hosting.AuditEntry]{}, errPending
}

// CreateToken makes an API token for the team that the caller acts in.
func (s *Service) CreateToken(ctx context.Context, c hosting.Caller, in hosting.NewToken) (TokenSecret, error) {
	return TokenSecret{}, errPending
}

// ListTokens lists the team's tokens: an owner sees all of them, others their own.
func (s *Service) ListTokens(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.Token], error) {
	return state.List[hosting.Token]{}, errPending
}

// RevokeToken ends a token: an owner any, others their own. It is CodeNotFound for all else.
func (s *Service) RevokeToken(ctx context.Context, c hosting.Caller, id hosting.TokenID) error {
	return errPending
}

// Grant promises a token to whoever can show the verifier of the challenge (RFC 7636, S256)
// within a minute, and returns the code to redeem it with.
func (s *Service) Grant(ctx context.Context, c hosting.Caller, challenge string, in hosting.NewToken) (code string, err error) {
	return "", errPending
}

// Exchange redeems a code of Grant, once.
func (s *Service) Exchange(ctx context.Context, code, verifier string) (TokenSecret, error) {
	return TokenSecret{}, errPending
}

// OwnerLink makes the link with which the first person becomes the owner; one that was made
// before no longer works. It is CodeConflict once there is an owner.
func (s *Service) OwnerLink(ctx context.Context) (Link, error) { return Link{}, errPending }

// ListUsers lists all people, for the operator.
func (s *Service) ListUsers(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.User], error) {
	return state.List[hosting.User]{}, errPending
}

// SuspendUser suspends a person, whose sessions end and whose tokens rest, or lifts that.
func (s *Service) SuspendUser(ctx context.Context, c hosting.Caller, id hosting.UserID, suspended bool) (hosting.User, error) {
	return hosting.User{}, errPending
}

// ResetLink makes a link for a new password that the operator hands over.
func (s *Service) ResetLink(ctx context.Context, c hosting.Caller, id hosting.UserID) (Link, error) {
	return Link{}, errPending
}

// ListAllTeams lists all teams, for the operator.
func (s *Service) ListAllTeams(ctx context.Context, c hosting.Caller, p state.Page) (state.List[hosting.Team], error) {
	return state.List[hosting.Team]{}, errPending
}
